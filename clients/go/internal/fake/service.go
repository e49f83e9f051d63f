package fake

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	twofoldv1 "twofold.example/go/v1"
)

// Service is a SessionService whose streams whoever holds it drives.
type Service struct {
	twofoldv1.UnimplementedSessionServiceServer
	// Opened gets each stream that a verifier opens.
	Opened chan *Stream
	// Check answers CheckSession; nil: unimplemented.
	Check func(context.Context, *twofoldv1.CheckSessionRequest) (*twofoldv1.CheckSessionResponse, error)

	mutex   sync.Mutex
	keys    func() (*twofoldv1.GetSigningKeysResponse, error)
	fetches int
}

// NewService makes one that publishes the keys of these minters.
func NewService(minters ...*Minter) *Service {
	made := &Service{Opened: make(chan *Stream, 64)}
	made.Publish(minters...)
	return made
}

// Publish replaces the keys.
func (s *Service) Publish(minters ...*Minter) {
	s.AnswerKeys(func() (*twofoldv1.GetSigningKeysResponse, error) { return Keys(minters...), nil })
}

// AnswerKeys replaces the answer of GetSigningKeys.
func (s *Service) AnswerKeys(keys func() (*twofoldv1.GetSigningKeysResponse, error)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.keys = keys
}

// Fetches tells how often the keys were fetched.
func (s *Service) Fetches() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.fetches
}

// Serve serves it on a free port of the loopback; give the address and what ends it.
func (s *Service) Serve(options ...grpc.ServerOption) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := grpc.NewServer(options...)
	twofoldv1.RegisterSessionServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), server.Stop, nil
}

// GetSigningKeys is the RPC.
func (s *Service) GetSigningKeys(
	context.Context, *twofoldv1.GetSigningKeysRequest,
) (*twofoldv1.GetSigningKeysResponse, error) {
	s.mutex.Lock()
	s.fetches++
	keys := s.keys
	s.mutex.Unlock()
	return keys()
}

// CheckSession is the RPC.
func (s *Service) CheckSession(
	ctx context.Context, request *twofoldv1.CheckSessionRequest,
) (*twofoldv1.CheckSessionResponse, error) {
	if s.Check == nil {
		return s.UnimplementedSessionServiceServer.CheckSession(ctx, request)
	}
	return s.Check(ctx, request)
}

// WatchRevocations is the RPC.
func (s *Service) WatchRevocations(
	request *twofoldv1.WatchRevocationsRequest, server grpc.ServerStreamingServer[twofoldv1.WatchRevocationsResponse],
) error {
	stream := &Stream{
		ResumeToken: request.GetResumeToken(),
		messages:    make(chan *twofoldv1.WatchRevocationsResponse),
		end:         make(chan error),
		Context:     server.Context(),
	}
	s.Opened <- stream
	for {
		select {
		case message := <-stream.messages:
			if err := server.Send(message); err != nil {
				return err
			}
		case err := <-stream.end:
			return err
		case <-server.Context().Done():
			return server.Context().Err()
		}
	}
}

// Stream is one stream of revocations, driven from outside.
type Stream struct {
	// ResumeToken is what it was opened with.
	ResumeToken string
	// Context ends with it.
	Context context.Context

	messages chan *twofoldv1.WatchRevocationsResponse
	end      chan error
}

// Send sends a message, its server_time now where it has none. Not after the stream's end.
func (s *Stream) Send(message *twofoldv1.WatchRevocationsResponse) {
	if message.ServerTime == nil {
		message.ServerTime = timestamppb.Now()
	}
	select {
	case s.messages <- message:
	case <-s.Context.Done():
	}
}

// Snapshot sends a complete one.
func (s *Stream) Snapshot(resumeToken string, revocations ...*twofoldv1.Revocation) {
	s.Send(&twofoldv1.WatchRevocationsResponse{
		Reset_: true, Current: true, ResumeToken: resumeToken, Revocations: revocations,
	})
}

// Revoke sends a change, or with none a heartbeat.
func (s *Stream) Revoke(resumeToken string, revocations ...*twofoldv1.Revocation) {
	s.Send(&twofoldv1.WatchRevocationsResponse{Current: true, ResumeToken: resumeToken, Revocations: revocations})
}

// End ends it; nil: as if all were said.
func (s *Stream) End(err error) {
	select {
	case s.end <- err:
	case <-s.Context.Done():
	}
}
