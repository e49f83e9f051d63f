package twofold;

import java.io.Serializable;

/**
 * A field of the request that the server refused.
 *
 * @param field its path in the request, such as {@code client.ip_address}; empty: the message as a
 *     whole
 * @param description what is wrong with it, in English
 */
public record FieldViolation(String field, String description) implements Serializable {}
