"""The rules of Twofold: knows no wire format and no SQL."""
