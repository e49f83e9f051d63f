package twofold

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	twofoldv1 "twofold.example/go/v1"
)

// Client calls a Twofold service: client.Accounts.SignIn(ctx, request, twofold.WithSession(token)).
//
// A call ends with its context; one whose context has no deadline gets the client's (5 s). Streams have none but their
// context's. Every error is an [*Error]. A Client connects on first use and is safe for concurrent use.
type Client struct {
	// Accounts is AccountService.
	Accounts twofoldv1.AccountServiceClient
	// TwoFactor is TwoFactorService.
	TwoFactor twofoldv1.TwoFactorServiceClient
	// Sessions is SessionService.
	Sessions twofoldv1.SessionServiceClient
	// Recovery is RecoveryService.
	Recovery twofoldv1.RecoveryServiceClient
	// Support is SupportService.
	Support twofoldv1.SupportServiceClient

	connection connection
	conn       *grpc.ClientConn
	closed     atomic.Bool
}

// NewClient prepares a client of target: auth.example.com:443, 127.0.0.1:50051 or unix:/run/twofold.
//
// It fails where an option makes no sense, and for plain text beyond loopback. It does not wait for a connection.
func NewClient(target string, options ...ClientOption) (*Client, error) {
	settings := defaults(target)
	for _, option := range options {
		option.applyClient(&settings)
	}
	return newClient(settings)
}

func newClient(settings connection) (*Client, error) {
	if err := settings.check(); err != nil {
		return nil, fmt.Errorf("twofold: %w", err)
	}
	client := &Client{connection: settings}
	dialOptions, err := client.dialOptions()
	if err != nil {
		return nil, fmt.Errorf("twofold: %w", err)
	}
	conn, err := grpc.NewClient(settings.target, dialOptions...)
	if err != nil {
		return nil, fmt.Errorf("twofold: %w", err)
	}
	client.conn = conn
	client.Accounts = twofoldv1.NewAccountServiceClient(conn)
	client.TwoFactor = twofoldv1.NewTwoFactorServiceClient(conn)
	client.Sessions = twofoldv1.NewSessionServiceClient(conn)
	client.Recovery = twofoldv1.NewRecoveryServiceClient(conn)
	client.Support = twofoldv1.NewSupportServiceClient(conn)
	return client, nil
}

// Conn gives the connection, for stubs of your own. Its calls have the client's deadline, repeats and errors too.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// WaitReady connects ahead of the first call, and returns once connected. It fails with ErrUnavailable when the time of
// ctx, or else the client's deadline, is over.
func (c *Client) WaitReady(ctx context.Context) error {
	ctx, cancel := c.connection.bounded(ctx)
	defer cancel()
	for {
		state := c.conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Shutdown:
			return errClosed()
		}
		c.conn.Connect()
		if !c.conn.WaitForStateChange(ctx, state) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return newError(ErrUnavailable, codes.Unavailable, "", "No connection to "+c.connection.target+" in time.")
		}
	}
}

// Close ends the connection; calls under way end with ErrUnavailable.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.conn.Close()
}

// String names the target.
func (c *Client) String() string { return "twofold.Client of " + c.connection.target }

// GoString is String: %#v shows no credential either.
func (c *Client) GoString() string { return c.String() }

func (c *connection) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.deadline)
}

func (c *Client) dialOptions() ([]grpc.DialOption, error) {
	product := "twofold-go/" + Version
	if c.connection.userAgent != "" {
		product = c.connection.userAgent + " " + product
	}
	options := []grpc.DialOption{
		grpc.WithUserAgent(product),
		// A service config, which a DNS record can bring, may make gRPC resend any method, SignIn included. Its
		// transparent retries stay on: they resend only what no server has looked at.
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		// Finds a connection that has gone silent while calls wait on it; an idle one is not pinged.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// While gRPC waits to reconnect every call fails at once, so it must not wait longer than calls are repeated.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(c.connection.waitForReady)),
		grpc.WithUnaryInterceptor(c.unary),
		grpc.WithStreamInterceptor(c.stream),
	}
	if c.connection.tls == nil {
		// No proxy: one of the environment would take the plain text of a loopback connection elsewhere.
		return append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy()), nil
	}
	config, err := c.connection.tls.config()
	if err != nil {
		return nil, err
	}
	return append(options, grpc.WithTransportCredentials(credentials.NewTLS(config))), nil
}
