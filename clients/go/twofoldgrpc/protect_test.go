package twofoldgrpc_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	twofold "twofold.example/go"
	"twofold.example/go/twofoldgrpc"
)

// checker knows tokens by name.
type checker struct{}

func (checker) Check(ctx context.Context, token string) (twofold.VerifiedSession, error) {
	switch token {
	case "one":
		return twofold.VerifiedSession{AccountID: "ada", AAL: 1}, nil
	case "two":
		return twofold.VerifiedSession{AccountID: "ada", AAL: 2}, nil
	case "expired":
		return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrSessionExpired, Reason: "SESSION_EXPIRED"}
	case "silent":
		return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrVerifierNotReady}
	case "our-own-credential-is-wrong":
		return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrUnauthenticated, Reason: "CALLER_UNKNOWN"}
	}
	return twofold.VerifiedSession{}, &twofold.Error{Kind: twofold.ErrSessionEnded, Reason: "SESSION_INVALID"}
}

// service is a health service that serves for signed-in users only, as far as its handlers can tell.
type service struct {
	grpc_health_v1.UnimplementedHealthServer
}

func state(ctx context.Context) *grpc_health_v1.HealthCheckResponse {
	session, found := twofold.SessionFromContext(ctx)
	if found && session.AccountID == "ada" {
		return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING}
}

func (service) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return state(ctx), nil
}

func (service) Watch(_ *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	return stream.Send(state(stream.Context()))
}

func served(t *testing.T, options ...twofoldgrpc.Option) grpc_health_v1.HealthClient {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(twofoldgrpc.ServerOptions(checker{}, options...)...)
	grpc_health_v1.RegisterHealthServer(server, service{})
	go func() { _ = server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	return grpc_health_v1.NewHealthClient(conn)
}

// What each call gets, unary or stream.
func TestInterceptors(t *testing.T) {
	client := served(t, twofoldgrpc.MinimumAAL(2))
	for name, one := range map[string]struct {
		authorization []string
		code          codes.Code
		reason        string
	}{
		"a good token":             {[]string{"Bearer two"}, codes.OK, ""},
		"no token":                 {nil, codes.Unauthenticated, "SESSION_REQUIRED"},
		"another scheme":           {[]string{"Basic dHdv"}, codes.Unauthenticated, "SESSION_REQUIRED"},
		"two tokens":               {[]string{"Bearer two", "Bearer two"}, codes.Unauthenticated, "SESSION_INVALID"},
		"a bad token":              {[]string{"Bearer forged"}, codes.Unauthenticated, "SESSION_INVALID"},
		"an expired token":         {[]string{"Bearer expired"}, codes.Unauthenticated, "SESSION_EXPIRED"},
		"a password alone":         {[]string{"Bearer one"}, codes.PermissionDenied, ""},
		"a verifier not ready":     {[]string{"Bearer silent"}, codes.Unavailable, ""},
		"a verifier misconfigured": {[]string{"Bearer our-own-credential-is-wrong"}, codes.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			for _, value := range one.authorization {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
			}
			answer, unary := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			requireEnd(t, unary, one.code, one.reason, answer)
			stream, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			answer, err = stream.Recv()
			requireEnd(t, err, one.code, one.reason, answer)
		})
	}
}

func requireEnd(t *testing.T, err error, code codes.Code, reason string, answer *grpc_health_v1.HealthCheckResponse) {
	t.Helper()
	got := ""
	for _, detail := range status.Convert(err).Details() {
		if info, is := detail.(*errdetails.ErrorInfo); is {
			got = info.GetReason()
		}
	}
	if status.Code(err) != code || got != reason {
		t.Errorf("%v with %q, not %v with %q", err, got, code, reason)
	}
	if code == codes.OK && answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Error("the handler has no session")
	}
}

// An open method needs no token, and has no session; the others still do.
func TestOpenMethods(t *testing.T) {
	client := served(t, twofoldgrpc.Open(grpc_health_v1.Health_Check_FullMethodName))
	answer, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Error(answer, err)
	}
	stream, err := client.Watch(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Error(err)
	}
}
