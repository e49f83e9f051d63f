/** The version of this package. Written by `make generate`. */
export const VERSION = "0.1.0";
