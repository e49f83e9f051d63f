package twofold

// Version is the version of this module. `make generate` writes it from the file VERSION of the repository.
const Version = "0.1.0"
