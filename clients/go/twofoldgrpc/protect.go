// Package twofoldgrpc protects gRPC servers: only calls with a good access token reach their handlers.
package twofoldgrpc

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	twofold "twofold.example/go"
	"twofold.example/go/internal/bearer"
)

// Option changes what the interceptors ask for.
type Option func(*protection)

type protection struct {
	checker twofold.Checker
	aal     int
	open    map[string]bool
}

// MinimumAAL refuses sessions below this authenticator assurance level with PERMISSION_DENIED: 2 asks for a second
// factor.
func MinimumAAL(level int) Option { return func(p *protection) { p.aal = level } }

// Open lets calls of exactly these methods through without a token, such as /grpc.health.v1.Health/Check. They have no
// session.
func Open(methods ...string) Option {
	return func(p *protection) {
		for _, method := range methods {
			p.open[method] = true
		}
	}
}

func protectionOf(checker twofold.Checker, options []Option) *protection {
	p := &protection{checker: checker, open: map[string]bool{}}
	for _, option := range options {
		option(p)
	}
	return p
}

// UnaryServerInterceptor lets a call through if its metadata `authorization: Bearer` holds a good access token; the
// handler finds the session by twofold.SessionFromContext(ctx).
//
// Others end with UNAUTHENTICATED, with PERMISSION_DENIED below the assurance level, or with UNAVAILABLE while the
// verifier can't judge.
func UnaryServerInterceptor(checker twofold.Checker, options ...Option) grpc.UnaryServerInterceptor {
	p := protectionOf(checker, options)
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		ctx, err := p.admit(ctx, info.FullMethod)
		if err != nil {
			return nil, err
		}
		return handle(ctx, request)
	}
}

// StreamServerInterceptor is the same for streams. A stream is judged when it is opened, and not again.
func StreamServerInterceptor(checker twofold.Checker, options ...Option) grpc.StreamServerInterceptor {
	p := protectionOf(checker, options)
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		ctx, err := p.admit(stream.Context(), info.FullMethod)
		if err != nil {
			return err
		}
		return handle(server, &admitted{stream, ctx})
	}
}

// ServerOptions protects a whole server: grpc.NewServer(twofoldgrpc.ServerOptions(verifier)...).
func ServerOptions(checker twofold.Checker, options ...Option) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(UnaryServerInterceptor(checker, options...)),
		grpc.ChainStreamInterceptor(StreamServerInterceptor(checker, options...)),
	}
}

type admitted struct {
	grpc.ServerStream
	ctx context.Context
}

func (a *admitted) Context() context.Context { return a.ctx }

func (p *protection) admit(ctx context.Context, method string) (context.Context, error) {
	if p.open[method] {
		return ctx, nil
	}
	token, several := bearer.Token(metadata.ValueFromIncomingContext(ctx, "authorization"))
	if several {
		return nil, refusal(codes.Unauthenticated, "SESSION_INVALID", "There is more than one authorization.")
	}
	if token == "" {
		return nil, refusal(codes.Unauthenticated, "SESSION_REQUIRED", "An access token is required.")
	}
	session, err := p.checker.Check(ctx, token)
	var refused *twofold.Error
	switch {
	case errors.As(err, &refused) && errors.Is(err, twofold.ErrSessionEnded):
		return nil, refusal(codes.Unauthenticated, refused.Reason, "The access token is not valid.")
	case err != nil && ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case err != nil:
		return nil, status.Error(codes.Unavailable, "The access token can't be checked now.")
	case session.AAL < p.aal:
		// By the name that RFC 9470 gives it; the contract has no reason for what a service asks of its own users.
		return nil, status.Error(codes.PermissionDenied, "insufficient_user_authentication: a second factor is required")
	}
	return twofold.ContextWithSession(ctx, session), nil
}

// refusal names the reason as the service itself does, so that a front end knows when to refresh.
func refusal(code codes.Code, reason, text string) error {
	plain := status.New(code, text)
	detailed, err := plain.WithDetails(&errdetails.ErrorInfo{Domain: "twofold", Reason: reason})
	if err != nil {
		return plain.Err()
	}
	return detailed.Err()
}
