package config

import (
	"crypto/tls"
	"crypto/x509"

	"go.yaml.in/yaml/v3"
)

// tls reads the section and tries its files, so that a wrong one is found before clients
// find it.
func (d sections) tls(n *yaml.Node, path string, t *TLS) {
	d.fields(n, path, path,
		field{"cert", d.str(&t.Cert)},
		field{"key", d.str(&t.Key)},
		field{"client_ca", d.str(&t.ClientCA)},
		field{"require", d.boolean(&t.Require)},
		field{"backend_ca", d.str(&t.BackendCA)})
	at := func(key string) *yaml.Node {
		if line := d.lines[join(path, key)]; line > 0 {
			return &yaml.Node{Line: line}
		}
		return &yaml.Node{Line: d.lines[path]}
	}
	switch {
	case d.faulty(join(path, "cert")) || d.faulty(join(path, "key")):
	case t.Cert == "" && t.Key != "":
		d.fault(at("key"), path, "tls.key has no certificate; write its file as tls.cert")
	case t.Cert != "" && t.Key == "":
		d.fault(at("cert"), path, "tls.cert has no key; write its file as tls.key")
	case t.Cert == "" && t.Require:
		d.fault(at("require"), path, "tls.require needs a certificate; write tls.cert and tls.key, or require: false")
	case t.Cert == "" && t.ClientCA != "":
		d.fault(at("client_ca"), path, "tls.client_ca needs a certificate; write tls.cert and tls.key too")
	case t.Cert != "":
		d.pair(at, path, t)
	}
	d.authority(at("client_ca"), join(path, "client_ca"), t.ClientCA, "clients")
	d.authority(at("backend_ca"), join(path, "backend_ca"), t.BackendCA, "the shards' servers")
}

// authority looks into the file of a certificate authority.
func (d sections) authority(n *yaml.Node, path, name, signs string) {
	if name == "" {
		return
	}
	if pem, ok := d.pem(n, path, name); ok && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		d.fault(n, path, "%s: the file %q has no certificate; write the PEM file of the authority that signs %s", path, clip(name), signs)
	}
}

func (d sections) pair(at func(string) *yaml.Node, path string, t *TLS) {
	cert, ok := d.pem(at("cert"), join(path, "cert"), t.Cert)
	key, ok2 := d.pem(at("key"), join(path, "key"), t.Key)
	if !ok || !ok2 {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		d.fault(at("cert"), join(path, "cert"), "tls.cert and tls.key do not work: %v; write the PEM files of a certificate and of its own key", err)
	}
}

func (d sections) pem(n *yaml.Node, path, name string) ([]byte, bool) {
	b, err := d.world.read(name)
	if err != nil {
		d.fault(n, path, "%s: the file %q cannot be read (%v); write the path of a PEM file", path, clip(name), cause(err))
		return nil, false
	}
	return b, true
}
