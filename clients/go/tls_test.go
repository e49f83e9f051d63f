package twofold

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	twofoldv1 "twofold.example/go/v1"
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func issue(t *testing.T, name string, parent *authority) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: parent == nil, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	issuer, signer := template, key
	if parent != nil {
		issuer, signer = parent.certificate, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	certificate, key, text := issue(t, "authority", nil)
	return &authority{certificate, key, text}
}

// pair gives a certificate and its key as PEM.
func (a *authority) pair(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	_, private, certificate := issue(t, name, a)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// namedCaller answers GetAccount with the name in the caller's certificate.
type namedCaller struct {
	twofoldv1.UnimplementedAccountServiceServer
}

func (namedCaller) GetAccount(ctx context.Context, _ *twofoldv1.GetAccountRequest) (*twofoldv1.GetAccountResponse, error) {
	account := &twofoldv1.Account{}
	if from, known := peer.FromContext(ctx); known {
		if info, secured := from.AuthInfo.(credentials.TLSInfo); secured && len(info.State.PeerCertificates) > 0 {
			account.DisplayName = info.State.PeerCertificates[0].Subject.CommonName
		}
	}
	return &twofoldv1.GetAccountResponse{Account: account}, nil
}

func securedServer(t *testing.T, servers, clients *authority) (port string) {
	t.Helper()
	pair, err := tls.X509KeyPair(servers.pair(t, "auth.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		config.ClientCAs.AddCert(clients.certificate)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	twofoldv1.RegisterAccountServiceServer(server, namedCaller{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}

func callerName(t *testing.T, port string, options TLS) (string, error) {
	t.Helper()
	client, err := NewClient("127.0.0.1:"+port, WithTLS(options), WithRetries(0), WithDeadline(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got, err := client.Accounts.GetAccount(context.Background(), &twofoldv1.GetAccountRequest{})
	return got.GetAccount().GetDisplayName(), err
}

// A server is trusted by the authority and the name that were given, and by nothing less.
func TestTLS(t *testing.T) {
	servers := newAuthority(t)
	port := securedServer(t, servers, nil)
	if _, err := callerName(t, port, TLS{RootCertificates: servers.pem, ServerName: "auth.example.com"}); err != nil {
		t.Error(err)
	}
	for name, options := range map[string]TLS{
		"another authority":    {RootCertificates: newAuthority(t).pem, ServerName: "auth.example.com"},
		"another name":         {RootCertificates: servers.pem, ServerName: "mail.example.com"},
		"the target's address": {RootCertificates: servers.pem},
		"the system's roots":   {ServerName: "auth.example.com"},
	} {
		if _, err := callerName(t, port, options); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With a client certificate the server knows the caller by it; without one it refuses the connection.
func TestMutualTLS(t *testing.T) {
	servers, clients := newAuthority(t), newAuthority(t)
	port := securedServer(t, servers, clients)
	folder := t.TempDir()
	certificate, key := clients.pair(t, "shop")
	files := TLSFiles{ServerName: "auth.example.com"}
	for name, one := range map[string]struct {
		path    *string
		content []byte
	}{
		"roots.pem": {&files.RootCertificates, servers.pem}, "shop.pem": {&files.ClientCertificate, certificate},
		"shop.key": {&files.ClientKey, key},
	} {
		*one.path = filepath.Join(folder, name)
		if err := os.WriteFile(*one.path, one.content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options, err := files.Read()
	if err != nil {
		t.Fatal(err)
	}
	if name, err := callerName(t, port, options); err != nil || name != "shop" {
		t.Error(name, err)
	}
	if _, err := callerName(t, port, TLS{RootCertificates: servers.pem, ServerName: "auth.example.com"}); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	files.ClientKey = filepath.Join(folder, "missing.key")
	if _, err := files.Read(); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
