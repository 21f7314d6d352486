"""Asks a port of this machine over and over until it answers: says `asking`, then writes when that was.

first_answer.py PORT PATH FILE: FILE gets the wall clock's microseconds.
"""
import os, socket, sys, time

port, path, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
print("asking", flush=True)
while True:
	try:
		with socket.create_connection(("127.0.0.1", port)) as s:
			s.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode())
			if s.recv(4096).startswith(b"HTTP/1.1 2"):
				break
	except OSError:
		pass
	time.sleep(0.001)
with open(file + ".new", "w") as out:
	out.write("%d\n" % (time.time() * 1e6))
os.rename(file + ".new", file)
