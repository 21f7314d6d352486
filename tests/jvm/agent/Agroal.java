package io.agroal.pool;

import java.lang.reflect.Proxy;
import java.net.Socket;
import java.sql.Connection;

/** What the agent knows of Agroal, and nothing else of it: two pools with a connection each, one of which looks by itself. */
public final class Agroal {
	private final ConnectionHandler[] handlers;

	public Agroal(Socket socket) {
		handlers = new ConnectionHandler[] {new ConnectionHandler(socket, false), new ConnectionHandler(socket, true)};
	}

	public String looks() {
		return handlers[0].connectionPool.looks() + " " + handlers[1].connectionPool.looks();
	}

	public void end() {
		for (ConnectionHandler handler : handlers)
			handler.state = ConnectionHandler.State.DESTROYED;
	}
}

interface Pool {
	boolean looks();
}

final class ConnectionPool implements Pool {
	private final boolean borrowValidationEnabled;

	ConnectionPool(boolean looks) {
		borrowValidationEnabled = looks;
	}

	@Override
	public boolean looks() {
		return borrowValidationEnabled;
	}
}

final class ConnectionHandler {
	final Pool connectionPool;
	private final Connection connection;
	volatile State state = State.CHECKED_IN;

	enum State { CHECKED_IN, DESTROYED }

	ConnectionHandler(Socket socket, boolean looks) {
		connectionPool = new ConnectionPool(looks);
		connection = (Connection)Proxy.newProxyInstance(ConnectionHandler.class.getClassLoader(), new Class<?>[] {Connection.class},
			(proxy, method, arguments) -> socket.toString());
	}
}
