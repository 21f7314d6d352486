/** A program that ends by itself: prints its arguments and exits with the status given first. Args STATUS WORD... */
public final class Args {
	public static void main(String[] args) {
		for (int i = 1; i < args.length; i++)
			System.out.println(args[i]);
		System.err.println("args: " + (args.length - 1));
		System.exit(Integer.parseInt(args[0]));
	}
}
