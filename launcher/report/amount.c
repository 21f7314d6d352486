/* See amount.h. */
#include "launcher/report/amount.h"

#include "launcher/report/log.h"

#include <stdio.h>
#include <time.h>

void amount_bytes(uint64_t bytes, char ret_text[AMOUNT_SIZE])
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
	size_t unit = 0;
	double value = (double)bytes;

	for (; value >= 999.5 && unit < 6; unit++)
		value /= 1000;
	snprintf(ret_text, AMOUNT_SIZE, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
}

void amount_age(int64_t then_ns, char ret_text[AMOUNT_SIZE])
{
	long long seconds = (long long)time(NULL) - then_ns / 1000000000;

	if (seconds < 120)
		snprintf(ret_text, AMOUNT_SIZE, "%lld s ago", seconds < 0 ? 0 : seconds);
	else if (seconds < 7200)
		snprintf(ret_text, AMOUNT_SIZE, "%lld min ago", seconds / 60);
	else if (seconds < 172800)
		snprintf(ret_text, AMOUNT_SIZE, "%lld h ago", seconds / 3600);
	else
		snprintf(ret_text, AMOUNT_SIZE, "%lld days ago", seconds / 86400);
}

void amount_time(int64_t realtime_ns, char ret_text[AMOUNT_SIZE])
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(ret_text, AMOUNT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(ret_text, AMOUNT_SIZE, "?");
}

void amount_progress(void *what, uint64_t done, uint64_t total)
{
	char now[AMOUNT_SIZE], all[AMOUNT_SIZE];

	amount_bytes(done, now);
	amount_bytes(total, all);
	log_progress("%s: %s of %s", (const char *)what, now, all);
}
