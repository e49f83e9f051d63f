/**
 * The client of the Twofold authentication service: {@link twofold.Client} and {@link
 * twofold.Verifier}.
 */
package twofold;
