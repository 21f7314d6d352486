import java.util.function.ToIntFunction;

/** Code that is compiled for strings and meets something else later: see Objects. */
public final class Trap implements ToIntFunction<Object> {
	@Override
	public int applyAsInt(Object what) {
		if (what instanceof String text)
			return text.length();
		if (what instanceof Integer number)
			return number;
		return -1;
	}
}
