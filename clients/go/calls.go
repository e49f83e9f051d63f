package twofold

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	// Longer than any deadline; what a server asks for beyond it would overflow.
	mostAsked = 365 * 24 * time.Hour
	notBegun  = "SERVER_DRAINING"
)

// unary is what every call goes through: its metadata, its deadline, its repeats and its errors.
func (c *Client) unary(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption,
) error {
	// The caller's own, to tell its cancellation from a server's.
	callers := ctx
	ctx, err := c.connection.outgoing(ctx, options)
	if err != nil {
		return err
	}
	ctx, cancel := c.connection.bounded(ctx)
	defer cancel()
	for made := 1; ; made++ {
		var trailers metadata.MD
		attempt := append(options[:len(options):len(options)], grpc.Trailer(&trailers))
		cause := invoke(ctx, method, request, reply, conn, attempt...)
		if cause == nil {
			return nil
		}
		failed := c.errorOf(callers, cause, trailers)
		if made > c.connection.retries || c.closed.Load() || !mayRepeat(method, failed, trailers) {
			return failed
		}
		pause := pauseAfter(failed, made)
		if ends, _ := ctx.Deadline(); !time.Now().Add(pause).Before(ends) {
			return failed
		}
		c.connection.logger.DebugContext(ctx, "twofold: a call is repeated",
			"method", shortName(method), "code", codeName(failed.Code), "attempt", made, "wait", pause)
		if !sleep(ctx, pause) {
			return c.errorOf(callers, status.FromContextError(ctx.Err()).Err(), nil)
		}
	}
}

// stream opens a stream. It is never opened again by itself.
func (c *Client) stream(
	ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer,
	options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	callers := ctx
	ctx, err := c.connection.outgoing(ctx, options)
	if err != nil {
		return nil, err
	}
	opened, cause := open(ctx, description, conn, method, options...)
	if cause != nil {
		return nil, c.errorOf(callers, cause, nil)
	}
	return &typedStream{ClientStream: opened, client: c, callers: callers}, nil
}

// typedStream gives a stream's errors their types; io.EOF stays what it is.
type typedStream struct {
	grpc.ClientStream
	client  *Client
	callers context.Context
}

func (s *typedStream) RecvMsg(message any) error {
	cause := s.ClientStream.RecvMsg(message)
	if cause == nil || errors.Is(cause, io.EOF) {
		return cause
	}
	return s.client.errorOf(s.callers, cause, s.Trailer())
}

func (s *typedStream) SendMsg(message any) error {
	cause := s.ClientStream.SendMsg(message)
	if cause == nil || errors.Is(cause, io.EOF) {
		return cause
	}
	return s.client.errorOf(s.callers, cause, nil)
}

func (c *Client) errorOf(callers context.Context, cause error, trailers metadata.MD) *Error {
	failed := errorFrom(cause, trailers)
	if failed.Code != codes.Canceled {
		return failed
	}
	switch {
	case errors.Is(callers.Err(), context.Canceled):
		failed.Kind = ErrCanceled
	case c.closed.Load():
		return errClosed()
	}
	return failed
}

// outgoing gives the context whose metadata the call is made with.
//
// Coordinates are what this client and this call say and nothing else: a context that carries those of another call
// must not make this one in somebody else's name. A token that could not be one is refused here as the server would:
// it is the end user's input.
func (c *connection) outgoing(ctx context.Context, options []grpc.CallOption) (context.Context, error) {
	headers, _ := metadata.FromOutgoingContext(ctx)
	if headers == nil {
		headers = metadata.MD{}
	}
	for _, name := range []string{"authorization", "twofold-session", "twofold-approver"} {
		headers.Delete(name)
	}
	if c.hasSecret {
		headers.Set("authorization", "Bearer "+c.credential)
	}
	for _, option := range options {
		switch option := option.(type) {
		case sessionOption:
			if option.token == "" {
				continue
			}
			if !isHeaderToken(option.token) {
				return nil, newError(
					ErrSessionEnded, codes.Unauthenticated, "SESSION_INVALID", "The access token is malformed.")
			}
			headers.Set("twofold-session", option.token)
		case approverOption:
			if !isHeaderToken(option.proof) {
				return nil, newError(
					ErrUnauthenticated, codes.Unauthenticated, "APPROVER_INVALID", "The approver's proof is malformed.")
			}
			headers.Set("twofold-approver", option.proof)
		}
	}
	return metadata.NewOutgoingContext(ctx, headers), nil
}

func mayRepeat(method string, failed *Error, trailers metadata.MD) bool {
	switch {
	case failed.Kind == ErrCanceled:
		return false
	case failed.Code == codes.Unavailable:
		// A stopping server that says so has done nothing. Otherwise even a call that the service did not answer may
		// have been done before the connection broke.
		return failed.Reason == notBegun || isRepeatable(method)
	case failed.Code == codes.Canceled:
		// A stopping server cancels what has not reached the service; nothing was done, whatever the method.
		return len(trailers.Get(requestIDTrailer)) == 0
	}
	return false
}

// isRepeatable tells whether the contract marks the method with an idempotency_level: twice is as good as once.
func isRepeatable(method string) bool {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return false
	}
	options, ok := found.Options().(*descriptorpb.MethodOptions)
	return ok && proto.Size(options) > 0 &&
		options.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
}

func pauseAfter(failed *Error, made int) time.Duration {
	if asked, has := failed.RetryAfter(); has {
		return jittered(min(asked, mostAsked), 1.0, 1.2)
	}
	return jittered(min(firstPause<<min(made-1, 8), longestPause), 0.5, 1.0)
}

// jittered gives a random part of a pause: whoever lost the same server must not come back all at once.
func jittered(pause time.Duration, least, most float64) time.Duration {
	return time.Duration(float64(pause) * (least + rand.Float64()*(most-least)))
}

func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func shortName(method string) string { return method[strings.LastIndex(method, "/")+1:] }
