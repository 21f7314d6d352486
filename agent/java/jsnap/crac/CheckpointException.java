package jsnap.crac;

/** There is no snapshot; what resources threw is suppressed in it. */
public class CheckpointException extends Exception {
	private static final long serialVersionUID = 1;

	public CheckpointException() {
	}

	public CheckpointException(String message) {
		super(message);
	}
}
