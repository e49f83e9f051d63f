package twofold;

import java.io.Serializable;

/**
 * A state that forbids the call.
 *
 * @param type what kind of state, such as {@code SECOND_FACTOR}
 * @param subject what is in that state, such as {@code account}
 * @param description the same in English; may be empty
 */
public record PreconditionViolation(String type, String subject, String description)
    implements Serializable {}
