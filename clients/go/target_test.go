package twofold

import (
	"strings"
	"testing"
)

// Plain text goes no further than this machine: what is not understood is refused too.
func TestPlainTextBeyondThisMachineIsRefused(t *testing.T) {
	for _, target := range []string{
		"auth.example.com:443", "10.0.0.7:50051", "localhost.example.com:50051", "0.0.0.0:50051", "[::]:50051",
		"dns:///auth.example.com", "dns://127.0.0.1/auth.example.com", "xds:///localhost", "passthrough:///10.0.0.7:1",
		"127.0.0.1@auth.example.com", "localhost:50051,auth.example.com:50051", "http://localhost:50051", "",
		"127.0.0.1:50051\n", "[::ffff:10.0.0.7]:50051",
	} {
		if _, err := NewClient(target); err == nil {
			t.Errorf("%q is accepted", target)
		}
		if _, err := NewVerifier(target, "default", "billing"); err == nil {
			t.Errorf("a verifier accepts %q", target)
		}
	}
}

// Loopback addresses and unix sockets need no TLS.
func TestPlainTextOnThisMachineIsAccepted(t *testing.T) {
	for _, target := range []string{
		"localhost:50051", "LOCALHOST:50051", "127.0.0.1:50051", "127.8.9.1", "[::1]:50051", "[::ffff:127.0.0.1]:50051",
		"dns:///localhost:50051", "dns:localhost:50051", "passthrough:///127.0.0.1:50051", "unix:/run/twofold",
		"unix:///run/twofold", "unix-abstract:twofold",
	} {
		client, err := NewClient(target)
		if err != nil {
			t.Errorf("%q: %v", target, err)
			continue
		}
		_ = client.Close()
	}
}

// Options that make no sense are refused when the client is made, and no secret is quoted.
func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	const local = "127.0.0.1:50051"
	for name, option := range map[string]ClientOption{
		"a credential with a line break": WithCredential("secret\r\nx: y"),
		"an empty credential":            WithCredential(""),
		"a credential beyond ASCII":      WithCredential("secrét"),
		"a long credential":              WithCredential(strings.Repeat("secret", 1000)),
		"no deadline":                    WithDeadline(0),
		"retries below zero":             WithRetries(-1),
		"no logger":                      WithLogger(nil),
		"half a client certificate":      WithTLS(TLS{ClientCertificate: []byte("secret")}),
		"roots that are none":            WithTLS(TLS{RootCertificates: []byte("secret")}),
		"a certificate that is none":     WithTLS(TLS{ClientCertificate: []byte("secret"), ClientKey: []byte("secret")}),
	} {
		_, err := NewClient(local, option)
		if err == nil {
			t.Errorf("%s is accepted", name)
		} else if strings.Contains(err.Error(), "secr") {
			t.Errorf("%s is quoted: %v", name, err)
		}
	}
	for name, option := range map[string]VerifierOption{
		"no silence": WithSilence(0), "a long leeway": WithLeeway(maxLeeway + 1), "a leeway below zero": WithLeeway(-1),
		"a cache of one": WithCacheSize(1), "no clock": WithClock(nil),
	} {
		if _, err := NewVerifier(local, "default", "billing", option); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, pair := range [][2]string{{"", "billing"}, {"default", ""}} {
		if _, err := NewVerifier(local, pair[0], pair[1]); err == nil {
			t.Errorf("%q is accepted", pair)
		}
	}
}
