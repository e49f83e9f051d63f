package twofold

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	twofoldv1 "twofold.example/go/v1"
)

// answer is what a scripted server does with a call; nil: it succeeds.
type answer func(context.Context) error

// scripted is a server that gives its answers one after another, and then success.
type scripted struct {
	twofoldv1.UnimplementedAccountServiceServer
	mutex   sync.Mutex
	answers []answer
	calls   []context.Context
	times   []time.Time
}

func (s *scripted) next(ctx context.Context) error {
	s.mutex.Lock()
	s.calls = append(s.calls, ctx)
	s.times = append(s.times, time.Now())
	var now answer
	if len(s.answers) > 0 {
		now, s.answers = s.answers[0], s.answers[1:]
	}
	s.mutex.Unlock()
	if now == nil {
		return nil
	}
	return now(ctx)
}

func (s *scripted) made() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.calls)
}

func (s *scripted) GetAccount(ctx context.Context, _ *twofoldv1.GetAccountRequest) (*twofoldv1.GetAccountResponse, error) {
	return &twofoldv1.GetAccountResponse{}, s.next(ctx)
}

func (s *scripted) SignIn(ctx context.Context, _ *twofoldv1.SignInRequest) (*twofoldv1.SignInResponse, error) {
	return &twofoldv1.SignInResponse{}, s.next(ctx)
}

func served(t *testing.T, options []ClientOption, answers ...answer) (*Client, *scripted) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake := &scripted{answers: answers}
	server := grpc.NewServer()
	twofoldv1.RegisterAccountServiceServer(server, fake)
	go func() { _ = server.Serve(listener) }()
	client, err := NewClient(listener.Addr().String(), append([]ClientOption{WithDeadline(time.Minute)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		server.Stop()
	})
	return client, fake
}

func getAccount(client *Client, options ...grpc.CallOption) error {
	_, err := client.Accounts.GetAccount(context.Background(), &twofoldv1.GetAccountRequest{}, options...)
	return err
}

func signIn(client *Client) error {
	_, err := client.Accounts.SignIn(context.Background(), &twofoldv1.SignInRequest{})
	return err
}

func failing(err error) answer { return func(context.Context) error { return err } }

func answered(err error) answer {
	return func(ctx context.Context) error {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(requestIDTrailer, "id"))
		return err
	}
}

func (c *Client) get() error { return getAccount(c) }
