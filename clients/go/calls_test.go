package twofold

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	twofoldv1 "twofold.example/go/v1"
)

// What is repeated, and how often at most.
func TestRepeats(t *testing.T) {
	unavailable := failing(status.Error(codes.Unavailable, "gone"))
	known := answered(refusalOf(t, codes.Unavailable, "No database.", reason("DATABASE_UNAVAILABLE")))
	draining := answered(refusalOf(t, codes.Unavailable, "Stopping.", reason("SERVER_DRAINING")))
	cancelled := failing(status.Error(codes.Canceled, "stopped"))
	for name, one := range map[string]struct {
		call    func(*Client) error
		answers []answer
		calls   int
		fails   bool
	}{
		"UNAVAILABLE of a repeatable method":             {(*Client).get, []answer{unavailable, known}, 3, false},
		"UNAVAILABLE of a method that is not repeatable": {signIn, []answer{unavailable}, 1, true},
		"UNAVAILABLE with a reason, not repeatable":      {signIn, []answer{known}, 1, true},
		"SERVER_DRAINING of any method":                  {signIn, []answer{draining}, 2, false},
		"CANCELLED that no service answered":             {signIn, []answer{cancelled}, 2, false},
		"CANCELLED that the service answered":            {(*Client).get, []answer{answered(status.Error(codes.Canceled, ""))}, 1, true},
		"four times and no more":                         {(*Client).get, []answer{unavailable, unavailable, unavailable, unavailable}, 4, true},
		"INTERNAL":                                       {(*Client).get, []answer{failing(status.Error(codes.Internal, ""))}, 1, true},
		"ABORTED":                                        {(*Client).get, []answer{failing(status.Error(codes.Aborted, ""))}, 1, true},
		"RESOURCE_EXHAUSTED": {(*Client).get, []answer{failing(refusalOf(t, codes.ResourceExhausted, "",
			&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)}))}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, fake := served(t, nil, one.answers...)
			if err := one.call(client); (err != nil) != one.fails {
				t.Error(err)
			}
			if fake.made() != one.calls {
				t.Errorf("%d calls, not %d", fake.made(), one.calls)
			}
		})
	}
}

// WithRetries says how often a call is repeated; 0: never.
func TestRetriesAreSettable(t *testing.T) {
	unavailable := failing(status.Error(codes.Unavailable, "gone"))
	client, fake := served(t, []ClientOption{WithRetries(0)}, unavailable)
	if err := getAccount(client); !errors.Is(err, ErrUnavailable) || fake.made() != 1 {
		t.Error(err, fake.made())
	}
}

// A repeat comes no sooner than the server asks.
func TestARepeatWaitsAsLongAsTheServerAsks(t *testing.T) {
	asked := 300 * time.Millisecond
	client, fake := served(t, nil, failing(refusalOf(t, codes.Unavailable, "", reason("DATABASE_UNAVAILABLE"),
		&errdetails.RetryInfo{RetryDelay: durationpb.New(asked)})))
	if err := getAccount(client); err != nil {
		t.Fatal(err)
	}
	if waited := fake.times[1].Sub(fake.times[0]); waited < asked {
		t.Error(waited)
	}
}

// A pause that would outlast the deadline is not begun: the failure is told at once.
func TestNoRepeatGoesPastTheDeadline(t *testing.T) {
	for _, asked := range []time.Duration{time.Hour, 1<<63 - 1} {
		client, fake := served(t, nil, failing(refusalOf(t, codes.Unavailable, "", reason("SERVER_DRAINING"),
			&errdetails.RetryInfo{RetryDelay: durationpb.New(asked)})))
		began := time.Now()
		if err := getAccount(client); reasonOf(err) != "SERVER_DRAINING" || fake.made() != 1 {
			t.Error(err, fake.made())
		}
		if took := time.Since(began); took > 50*time.Second {
			t.Error("it waited", took)
		}
	}
}

// A call that its caller cancels is not repeated, and its error is context.Canceled.
func TestTheCallersOwnCancellation(t *testing.T) {
	arrived := make(chan struct{})
	var logged lines
	client, fake := served(t, []ClientOption{WithLogger(logged.logger())}, func(ctx context.Context) error {
		close(arrived)
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := client.Accounts.GetAccount(ctx, &twofoldv1.GetAccountRequest{})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCanceled) || errors.Is(err, ErrUnavailable) || fake.made() != 1 || logged.String() != "" {
		t.Error(err, fake.made(), logged.String())
	}
}

// A call that is cancelled between two attempts ends at once.
func TestACancellationEndsThePause(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	client, fake := served(t, nil, func(context.Context) error {
		time.AfterFunc(10*time.Millisecond, cancel)
		return refusalOf(t, codes.Unavailable, "", &errdetails.RetryInfo{RetryDelay: durationpb.New(50 * time.Second)})
	})
	_, err := client.Accounts.GetAccount(ctx, &twofoldv1.GetAccountRequest{})
	if !errors.Is(err, context.Canceled) || fake.made() != 1 {
		t.Error(err, fake.made())
	}
}

// A call without a deadline gets the client's, and one of the context's own stands.
func TestDeadlines(t *testing.T) {
	client, fake := served(t, []ClientOption{WithDeadline(20 * time.Second)})
	if err := getAccount(client); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if _, err := client.Accounts.GetAccount(ctx, &twofoldv1.GetAccountRequest{}); err != nil {
		t.Fatal(err)
	}
	first, _ := fake.calls[0].Deadline()
	second, _ := fake.calls[1].Deadline()
	if left := first.Sub(fake.times[0]); left > 20*time.Second {
		t.Error(left)
	}
	if left := second.Sub(fake.times[1]); left < time.Minute {
		t.Error(left)
	}
}

// A deadline that passes is ErrDeadlineExceeded and context.DeadlineExceeded.
func TestADeadlineThatPasses(t *testing.T) {
	client, _ := served(t, []ClientOption{WithDeadline(50 * time.Millisecond)}, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	err := getAccount(client)
	if !errors.Is(err, ErrDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// A call carries the client's credential, its own session and proof, and none that came with the context.
func TestMetadataOfACall(t *testing.T) {
	client, fake := served(t, []ClientOption{WithCredential("shop-credential"), WithUserAgent("shop/2.1")})
	ctx := metadata.AppendToOutgoingContext(context.Background(),
		"authorization", "Bearer another", "twofold-session", "another", "twofold-approver", "another", "traceparent", "00-1")
	for _, options := range [][]grpc.CallOption{{WithSession("token"), WithApprover("proof")}, {WithSession("")}} {
		if _, err := client.Accounts.GetAccount(ctx, &twofoldv1.GetAccountRequest{}, options...); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []map[string][]string{
		{"authorization": {"Bearer shop-credential"}, "twofold-session": {"token"}, "twofold-approver": {"proof"}, "traceparent": {"00-1"}},
		{"authorization": {"Bearer shop-credential"}, "twofold-session": nil, "twofold-approver": nil},
	} {
		got, _ := metadata.FromIncomingContext(fake.calls[i])
		for name, values := range want {
			if !slices.Equal(got.Get(name), values) {
				t.Errorf("%s: %v", name, got.Get(name))
			}
		}
		if agent := first(got.Get("user-agent")); !strings.HasPrefix(agent, "shop/2.1 twofold-go/"+Version+" ") {
			t.Error(agent)
		}
	}
}

// A session that could be no token ends as it would at the server, and is not sent.
func TestAMalformedSessionIsRefusedHere(t *testing.T) {
	client, fake := served(t, nil)
	for _, token := range []string{"a b", "a\nb", "é", strings.Repeat("a", 4097)} {
		if err := getAccount(client, WithSession(token)); reasonOf(err) != "SESSION_INVALID" || !errors.Is(err, ErrSessionEnded) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if fake.made() != 0 {
		t.Error("it was sent")
	}
}

// Closing ends calls under way and later ones with ErrUnavailable, without repeats.
func TestClose(t *testing.T) {
	arrived := make(chan struct{})
	var logged lines
	client, fake := served(t, []ClientOption{WithLogger(logged.logger())}, func(ctx context.Context) error {
		close(arrived)
		<-ctx.Done()
		return ctx.Err()
	})
	go func() {
		<-arrived
		_ = client.Close()
	}()
	for range 2 {
		if err := getAccount(client); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "closed") {
			t.Error(err)
		}
	}
	if err := client.WaitReady(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if fake.made() != 1 || logged.String() != "" {
		t.Error(fake.made(), logged.String())
	}
}

// WaitReady returns once connected, and fails where nobody listens.
func TestWaitReady(t *testing.T) {
	client, _ := served(t, nil)
	if err := client.WaitReady(context.Background()); err != nil {
		t.Error(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	lonely, err := NewClient(listener.Addr().String(), WithDeadline(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer lonely.Close()
	if err := lonely.WaitReady(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}
