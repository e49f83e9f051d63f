"""The top floor of calls: gRPC and protobuf are known here alone."""
