package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CertificateFiles are a certificate authority of the test's own and what it has signed: a
// server's certificate for localhost and 127.0.0.1, and a client's. The names are paths of
// PEM files; Pool and Server and Client are the same, loaded.
type CertificateFiles struct {
	CA, ServerCert, ServerKey, ClientCert, ClientKey string

	Pool           *x509.CertPool
	Server, Client tls.Certificate
}

// Certificates makes them; they are removed with the test.
func Certificates(t TB) *CertificateFiles {
	t.Helper()
	dir := Dir(t, "tls")
	c := &CertificateFiles{Pool: x509.NewCertPool()}
	err := func() error {
		ca, caKey, err := issue(dir, "ca", nil, nil)
		if err != nil {
			return err
		}
		c.Pool.AddCert(ca)
		for _, name := range []string{"server", "client"} {
			if _, _, err := issue(dir, name, ca, caKey); err != nil {
				return err
			}
		}
		file := func(name string) string { return filepath.Join(dir, name+".pem") }
		c.CA = file("ca")
		c.ServerCert, c.ServerKey = file("server"), file("server-key")
		c.ClientCert, c.ClientKey = file("client"), file("client-key")
		if c.Server, err = tls.LoadX509KeyPair(c.ServerCert, c.ServerKey); err != nil {
			return err
		}
		c.Client, err = tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		return err
	}()
	if err != nil {
		t.Fatalf("testkit: certificates: %v", err)
	}
	return c
}

// issue makes a key and a certificate, signed by ca or, without one, by itself.
func issue(dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	cert := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true,
	}
	if ca == nil {
		ca, caKey = cert, key
		cert.IsCA, cert.KeyUsage, cert.ExtKeyUsage, cert.DNSNames, cert.IPAddresses = true, x509.KeyUsageCertSign, nil, nil, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, key.Public(), caKey)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem":     {Type: "CERTIFICATE", Bytes: der},
		name + "-key.pem": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	signed, err := x509.ParseCertificate(der)
	return signed, key, err
}
