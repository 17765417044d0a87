package server

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"runtime"
	"sync"
)

// Authentication plugins that Sluice knows. Sluice has the password itself in its
// configuration, so it can check either, and caching_sha2_password's fast way always works.
const (
	nativePassword = "mysql_native_password"
	cachingSHA2    = "caching_sha2_password"
)

func knownPlugin(name string) bool { return name == nativePassword || name == cachingSHA2 }

// scramble is the random challenge of one authentication.
type scramble [20]byte

// newScramble makes one as MySQL does: 7-bit, without NUL, which would end it for the
// clients, and without '$', which separates the fields of MySQL's stored hashes.
func newScramble() scramble {
	var s scramble
	_, _ = rand.Read(s[:]) // it cannot fail: the process ends instead
	for i, b := range s {
		if b &= 0x7f; b == 0 || b == '$' {
			b++
		}
		s[i] = b
	}
	return s
}

// nativeMatches checks SHA1(password) XOR SHA1(scramble + SHA1(SHA1(password))).
func nativeMatches(password string, scr scramble, response []byte) bool {
	if password == "" {
		return len(response) == 0
	}
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	want := sha1.Sum(append(scr[:], twice[:]...))
	subtle.XORBytes(want[:], want[:], once[:])
	return subtle.ConstantTimeCompare(want[:], response) == 1
}

// sha2Matches checks SHA256(password) XOR SHA256(SHA256(SHA256(password)) + scramble).
func sha2Matches(password string, scr scramble, response []byte) bool {
	once := sha256.Sum256([]byte(password))
	twice := sha256.Sum256(once[:])
	want := sha256.Sum256(append(twice[:], scr[:]...))
	subtle.XORBytes(want[:], want[:], once[:])
	return subtle.ConstantTimeCompare(want[:], response) == 1
}

// samePassword compares without saying by its time how long the password is or where the
// first difference stands.
func samePassword(a string, b []byte) bool {
	ha, hb := sha256.Sum256([]byte(a)), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(ha[:], hb[:]) == 1
}

// secrets are what the server itself keeps secret.
type secrets struct {
	decoy string                     // the password of users that do not exist
	key   func() (*rsaSecret, error) // made when it is first needed: that takes a moment
	work  chan struct{}              // bounds the processors that strangers can keep busy with RSA
}

// rsaSecret is the key pair with which clients without TLS send a password.
type rsaSecret struct {
	private *rsa.PrivateKey
	public  []byte // PEM
}

func newSecrets() *secrets {
	var decoy [32]byte
	_, _ = rand.Read(decoy[:]) // it cannot fail: the process ends instead
	return &secrets{
		decoy: hex.EncodeToString(decoy[:]),
		key:   sync.OnceValues(newRSASecret),
		work:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
}

func newRSASecret() (*rsaSecret, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &rsaSecret{key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, nil
}

// password decrypts what a client has encrypted: the password and a NUL, XORed with the
// scramble, in RSA-OAEP with SHA-1.
func (k *rsaSecret) password(encrypted []byte, scr scramble) ([]byte, bool) {
	plain, err := rsa.DecryptOAEP(sha1.New(), nil, k.private, encrypted, nil)
	if err != nil {
		return nil, false
	}
	for i := range plain {
		plain[i] ^= scr[i%len(scr)]
	}
	return cutNUL(plain)
}

// cutNUL takes the NUL off that ends a password.
func cutNUL(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[len(b)-1] != 0 {
		return nil, false
	}
	return b[:len(b)-1], true
}
