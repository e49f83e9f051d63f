package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	twofold "twofold.example/go"
	"twofold.example/go/twofoldhttp"
)

// sample serves a protected service until ctx ends.
func sample(ctx context.Context, config *config) error {
	verifier, err := config.verifier(ctx)
	if err != nil {
		return err
	}
	defer verifier.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /whoami", whoami)
	server := &http.Server{Handler: twofoldhttp.Protect(verifier)(mux), ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := say(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port}); err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		// The listener is closed first, and requests under way may finish.
		closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func whoami(answer http.ResponseWriter, request *http.Request) {
	session, _ := twofold.SessionFromContext(request.Context())
	answer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(answer).Encode(map[string]string{"account_id": session.AccountID})
}
