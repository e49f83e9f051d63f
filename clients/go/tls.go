package twofold

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS says how a connection is secured. Certificates and key are PEM. The zero value trusts the system's authorities.
type TLS struct {
	// RootCertificates are the authorities that the server's certificate may come from; nil: the system's.
	RootCertificates []byte
	// ClientCertificate is this service's own certificate chain, where the server knows its callers by certificate
	// (mutual TLS).
	ClientCertificate []byte
	// ClientKey is the private key of that certificate.
	ClientKey []byte
	// ServerName is the name that the server's certificate must carry; empty: the host of the target.
	ServerName string
}

// TLSFiles names the PEM files of a [TLS]; empty: none.
type TLSFiles struct {
	RootCertificates, ClientCertificate, ClientKey string
	ServerName                                     string
}

// Read reads the files.
func (f TLSFiles) Read() (TLS, error) {
	read := TLS{ServerName: f.ServerName}
	for _, one := range []struct {
		path string
		into *[]byte
	}{
		{f.RootCertificates, &read.RootCertificates},
		{f.ClientCertificate, &read.ClientCertificate},
		{f.ClientKey, &read.ClientKey},
	} {
		if one.path == "" {
			continue
		}
		content, err := os.ReadFile(one.path)
		if err != nil {
			return TLS{}, err
		}
		*one.into = content
	}
	return read, nil
}

// String names what is set, and shows no key.
func (t TLS) String() string {
	return fmt.Sprintf("TLS(own roots: %t, client certificate: %t, server name: %q)",
		t.RootCertificates != nil, t.ClientCertificate != nil, t.ServerName)
}

// GoString is String: %#v shows no key either.
func (t TLS) GoString() string { return t.String() }

func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.RootCertificates != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(t.RootCertificates) {
			return nil, errors.New("there is no certificate in RootCertificates; it must be PEM")
		}
	}
	if (t.ClientCertificate == nil) != (t.ClientKey == nil) {
		return nil, errors.New("a client certificate and its key are given together or not at all")
	}
	if t.ClientCertificate != nil {
		pair, err := tls.X509KeyPair(t.ClientCertificate, t.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("the client certificate and its key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
