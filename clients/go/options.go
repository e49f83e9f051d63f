package twofold

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// isHeaderToken: 1 to 4096 printable ASCII characters. gRPC's own complaint about bad metadata would quote it.
func isHeaderToken(text string) bool {
	foreign := func(r rune) bool { return r <= ' ' || r > '~' }
	return text != "" && len(text) <= maxTokenBytes && !strings.ContainsFunc(text, foreign)
}

// Option is taken by NewClient and by NewVerifier.
type Option interface {
	ClientOption
	VerifierOption
}

// ClientOption is taken by NewClient.
type ClientOption interface{ applyClient(*connection) }

// VerifierOption is taken by NewVerifier.
type VerifierOption interface{ applyVerifier(*verification) }

// connection is what a client is made of.
type connection struct {
	target       string
	credential   string
	hasSecret    bool
	tls          *TLS
	deadline     time.Duration
	retries      int
	waitForReady bool
	userAgent    string
	logger       *slog.Logger
}

type option func(*connection)

func (o option) applyClient(c *connection)     { o(c) }
func (o option) applyVerifier(v *verification) { o(&v.connection) }

type clientOption func(*connection)

func (o clientOption) applyClient(c *connection) { o(c) }

// WithCredential sends the calling service's credential, what `twofold-server caller add` printed, with every call.
func WithCredential(credential string) Option {
	return option(func(c *connection) { c.credential, c.hasSecret = credential, true })
}

// WithTLS secures the connection. Without it only loopback addresses and unix sockets are accepted.
func WithTLS(tls TLS) Option { return option(func(c *connection) { c.tls = &tls }) }

// WithDeadline sets the time of a call whose context has no deadline, repeats included; 5 s unless set.
func WithDeadline(deadline time.Duration) Option {
	return option(func(c *connection) { c.deadline = deadline })
}

// WithUserAgent puts a product such as shop/2.1 before the client's own.
func WithUserAgent(product string) Option {
	return option(func(c *connection) { c.userAgent = product })
}

// WithLogger takes the log lines: repeats at DEBUG, and a Verifier that fails to reconnect twice in a row at WARN.
// slog.Default() unless set. No line holds a token or anything of a request.
func WithLogger(logger *slog.Logger) Option {
	return option(func(c *connection) { c.logger = logger })
}

// WithRetries sets how often a call is repeated at most, where the contract allows it; 3 unless set.
func WithRetries(retries int) ClientOption {
	return clientOption(func(c *connection) { c.retries = retries })
}

// WithWaitForReady makes a call that finds no connection wait for one, within its deadline, instead of failing with
// ErrUnavailable.
func WithWaitForReady() ClientOption {
	return clientOption(func(c *connection) { c.waitForReady = true })
}

func defaults(target string) connection {
	return connection{target: target, deadline: 5 * time.Second, retries: 3, logger: slog.Default()}
}

func (c *connection) check() error {
	if err := requireSafeTarget(c.target, c.tls != nil); err != nil {
		return err
	}
	if c.hasSecret && !isHeaderToken(c.credential) {
		return errors.New("the credential must be 1 to 4096 printable ASCII characters without spaces")
	}
	if c.deadline <= 0 {
		return fmt.Errorf("the deadline must be a positive duration, not %v", c.deadline)
	}
	if c.retries < 0 {
		return errors.New("retries must not be negative")
	}
	if c.logger == nil {
		return errors.New("WithLogger needs a logger; slog.DiscardHandler makes one that is silent")
	}
	return nil
}

type sessionOption struct {
	grpc.EmptyCallOption
	token string
}

type approverOption struct {
	grpc.EmptyCallOption
	proof string
}

// Neither may show in %v of a list of call options.
func (sessionOption) String() string    { return "WithSession(...)" }
func (sessionOption) GoString() string  { return "WithSession(...)" }
func (approverOption) String() string   { return "WithApprover(...)" }
func (approverOption) GoString() string { return "WithApprover(...)" }

// WithSession makes a call in the session of this access token of the end user's.
func WithSession(accessToken string) grpc.CallOption { return sessionOption{token: accessToken} }

// WithApprover makes a call with this proof of an approver's, the signature of a paired phone.
func WithApprover(proof string) grpc.CallOption { return approverOption{proof: proof} }
