// Command runner plays the Go client's part in clients/scenario/README.md.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	twofold "twofold.example/go"
)

// config is the CONFIG of every command.
type config struct {
	Target            string         `json:"target"`
	Credential        *string        `json:"credential"`
	RootCertificates  string         `json:"root_certificates"`
	ClientCertificate string         `json:"client_certificate"`
	ClientKey         string         `json:"client_key"`
	RealmID           string         `json:"realm_id"`
	Audience          string         `json:"audience"`
	Helper            string         `json:"helper"`
	Story             string         `json:"story"`
	Variables         map[string]any `json:"variables"`
}

var commands = map[string]func(context.Context, *config) error{
	"story": story, "sample": sample, "bench": bench, "load": load,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 || commands[arguments[0]] == nil {
		return fmt.Errorf("usage: runner story|sample|bench|load CONFIG")
	}
	content, err := os.ReadFile(arguments[1])
	if err != nil {
		return err
	}
	var read config
	if err := json.Unmarshal(content, &read); err != nil {
		return fmt.Errorf("%s: %w", arguments[1], err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return commands[arguments[0]](ctx, &read)
}

// options is how the client and the verifier connect.
func (c *config) options() ([]twofold.Option, error) {
	tls, err := twofold.TLSFiles{
		RootCertificates: c.RootCertificates, ClientCertificate: c.ClientCertificate, ClientKey: c.ClientKey,
	}.Read()
	if err != nil {
		return nil, err
	}
	options := []twofold.Option{twofold.WithTLS(tls)}
	if c.Credential != nil {
		options = append(options, twofold.WithCredential(*c.Credential))
	}
	return options, nil
}

func (c *config) client() (*twofold.Client, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	var taken []twofold.ClientOption
	for _, option := range options {
		taken = append(taken, option)
	}
	return twofold.NewClient(c.Target, taken...)
}

func (c *config) verifier(ctx context.Context) (*twofold.Verifier, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	var taken []twofold.VerifierOption
	for _, option := range options {
		taken = append(taken, option)
	}
	return twofold.StartVerifier(ctx, c.Target, c.RealmID, c.Audience, taken...)
}

func say(line any) error { return json.NewEncoder(os.Stdout).Encode(line) }
