package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/readership/readership/internal/edge/route"
)

// challengePrefix begins the addresses at which an ACME server asks for proof.
const challengePrefix = "/.well-known/acme-challenge/"

// KeyPair names the files of a certificate, its chain included, and of its key.
type KeyPair struct{ Certificate, Key string }

// ACME says from whom certificates are had for hosts that no file is for.
type ACME struct {
	Directory string // address of the server; "": Let's Encrypt
	Email     string // of who is told before one expires; may be empty
	Cache     string // folder for certificates and the account's key
	Client    *http.Client
}

// Certificates are what TLS listeners show: from files, which are read again
// when they change, and from an ACME server for hosts that have routes.
type Certificates struct {
	pairs   []KeyPair
	marks   []fileMark // owned by look
	loaded  atomic.Pointer[[]*tls.Certificate]
	manager *autocert.Manager
	serves  func(host string) bool
}

// errNoCertificate refuses a handshake.
var errNoCertificate = errors.New("no certificate for this host")

// OpenCertificates reads the files; acme may be nil.
func OpenCertificates(pairs []KeyPair, from *ACME) (*Certificates, error) {
	c := &Certificates{pairs: pairs}
	var err error
	if c.marks, err = c.mark(); err != nil {
		return nil, err
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	if from != nil {
		c.manager = &autocert.Manager{
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(from.Cache), Email: from.Email, HostPolicy: c.allow,
			Client: &acme.Client{DirectoryURL: from.Directory, HTTPClient: from.Client, UserAgent: "readership"},
		}
	}
	return c, nil
}

// allow asks for certificates of hosts that have routes only: anybody can name
// any host.
func (c *Certificates) allow(_ context.Context, host string) error {
	if c.serves == nil || !c.serves(route.Host(host)) {
		return fmt.Errorf("%w: it has no routes", errNoCertificate)
	}
	return nil
}

func (c *Certificates) load() error {
	loaded := make([]*tls.Certificate, len(c.pairs))
	for i, pair := range c.pairs {
		certificate, err := tls.LoadX509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			return fmt.Errorf("read certificate %s: %w", pair.Certificate, err)
		}
		loaded[i] = &certificate
	}
	c.loaded.Store(&loaded)
	return nil
}

func (c *Certificates) mark() ([]fileMark, error) {
	var marks []fileMark
	for _, pair := range c.pairs {
		for _, name := range []string{pair.Certificate, pair.Key} {
			mark, err := markOf(name)
			if err != nil {
				return nil, err
			}
			marks = append(marks, mark)
		}
	}
	return marks, nil
}

// look reads the files again if one has changed. Until both of a pair fit
// together the old ones are shown.
func (c *Certificates) look(logger *slog.Logger) {
	marks, err := c.mark()
	if err == nil && slices.Equal(marks, c.marks) {
		return
	}
	if err == nil {
		err = c.load()
	}
	if err != nil {
		logger.Error("certificates were changed and cannot be read; the old ones are shown", "error", err)
		return
	}
	c.marks = marks
	logger.Info("certificates were read again")
}

// config is the configuration of TLS listeners.
func (c *Certificates) config() *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
	if c.manager != nil {
		t.NextProtos = append(t.NextProtos, acme.ALPNProto)
	}
	return t
}

// get finds the certificate for a handshake: one of the files that fits, else
// one of the ACME server's, else the first file's.
func (c *Certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.manager != nil && slices.Contains(hello.SupportedProtos, acme.ALPNProto) {
		return c.manager.GetCertificate(hello)
	}
	loaded := *c.loaded.Load()
	for _, certificate := range loaded {
		if hello.SupportsCertificate(certificate) == nil {
			return certificate, nil
		}
	}
	if c.manager != nil {
		if certificate, err := c.manager.GetCertificate(hello); err == nil || len(loaded) == 0 {
			return certificate, err
		}
	}
	if len(loaded) == 0 {
		return nil, errNoCertificate
	}
	return loaded[0], nil
}

// challenge answers an ACME server on plain connections; nil where there is
// none.
func (c *Certificates) challenge(fallback http.Handler) http.Handler {
	if c.manager == nil {
		return nil
	}
	return c.manager.HTTPHandler(fallback)
}

// Expiry returns when the first certificate of the files ends; ok is false
// without files.
func (c *Certificates) Expiry() (at time.Time, ok bool) {
	for _, certificate := range *c.loaded.Load() {
		if end := certificate.Leaf.NotAfter; !ok || end.Before(at) {
			at, ok = end, true
		}
	}
	return at, ok
}
