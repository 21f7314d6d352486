package jsnap;

import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/** The bean, in a program that has a platform MBean server: it is no reason to start one. */
final class RestoreBean implements RestoreMXBean {
	@Override
	public long getUptimeSinceRestore() {
		return Program.uptimeSinceRestore();
	}

	@Override
	public long getRestoreTime() {
		return Program.restoreTime();
	}

	/** By the agent, before a snapshot. */
	private static void register() throws JMException {
		MBeanServer server = ManagementFactory.getPlatformMBeanServer();
		ObjectName name = new ObjectName(OBJECT_NAME);
		if (!server.isRegistered(name))
			server.registerMBean(new RestoreBean(), name);
	}
}
