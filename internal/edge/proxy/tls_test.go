package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// certify writes a certificate for news.example that certifies itself.
func certify(t *testing.T, pair KeyPair, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "news.example"}, DNSNames: []string{"news.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{pair.Certificate: {Type: "CERTIFICATE", Bytes: der}, pair.Key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// secure asks for news.example over TLS at an address, trusting roots.
func secure(t *testing.T, address string, roots *x509.CertPool, path string) (*http.Response, string, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "news.example"}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "news.example"
	res, err := transport.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

func TestTLSFromFiles(t *testing.T) {
	dir := t.TempDir()
	pair := KeyPair{filepath.Join(dir, "a.pem"), filepath.Join(dir, "a.key")}
	first := certify(t, pair, 1)
	certificates, err := OpenCertificates([]KeyPair{pair}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := newEdge(t, Config{Certificates: certificates, Redirect: true}, to(backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"), " ", r.Host)
		w.Header().Set("X-Sum", "1")
	})))
	address := e.listen(t, e.ServeTLS)
	roots := x509.NewCertPool()
	roots.AddCert(first)
	res, text, err := secure(t, address, roots, "/")
	if err != nil || res.ProtoMajor != 2 || text != "https news.example" || res.Trailer.Get("X-Sum") != "1" {
		t.Fatalf("%v %q %v", res, text, err)
	}
	if res, _ := e.ask(t, "GET", "/a?b=c", nil); res.StatusCode != 308 || res.Header.Get("Location") != "https://news.example/a?b=c" {
		t.Errorf("plain: %d %v", res.StatusCode, res.Header)
	}
	// Another certificate takes its place at once, a broken one does not.
	second := certify(t, pair, 2)
	e.look()
	roots = x509.NewCertPool()
	roots.AddCert(second)
	if _, _, err := secure(t, address, roots, "/"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(pair.Key, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.look()
	if _, _, err := secure(t, address, roots, "/"); err != nil {
		t.Error(err)
	}
	if w := e.Warnings(); len(w) != 1 || !strings.Contains(w[0], "ends at") {
		t.Errorf("a certificate that ends within the hour: %q", w)
	}
	if _, err := OpenCertificates([]KeyPair{pair}, nil); err == nil {
		t.Error("a broken key was read")
	}
}

// resolver answers, over TCP, every name with 127.0.0.1 and nothing else.
func resolver(t *testing.T) string {
	t.Helper()
	l := reserve(t)
	started := make(chan struct{})
	s := &dns.Server{Listener: l, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(a)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	return l.Addr().String()
}

// A certificate is had from Pebble, the ACME server that Let's Encrypt tests
// clients with, once by its question over TLS and once over plain HTTP.
func TestTLSFromACME(t *testing.T) {
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	for _, way := range []string{"tls-alpn-01", "http-01"} {
		t.Run(way, func(t *testing.T) {
			plain, address := reserve(t), reserve(t)
			closed := reserve(t)
			closed.Close() // the other way leads nowhere
			httpPort, tlsPort := port(closed), port(address)
			if way == "http-01" {
				httpPort, tlsPort = port(plain), port(closed)
			}
			quiet := log.New(io.Discard, "", 0)
			store := db.NewMemoryStore()
			authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
			front := wfe.New(quiet, store, va.New(quiet, httpPort, tlsPort, false, resolver(t), store), authority, []string{"pebble.example"}, false, false, 1, 1)
			server := httptest.NewTLSServer(front.Handler())
			defer server.Close()
			cache := t.TempDir()
			certificates, err := OpenCertificates(nil, &ACME{Directory: server.URL + wfe.DirectoryPath, Email: "press@news.example", Cache: cache, Client: server.Client()})
			if err != nil {
				t.Fatal(err)
			}
			e := newEdge(t, Config{Certificates: certificates}, to(backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page") })))
			e.serve(t, plain, e.Serve)
			e.serve(t, address, e.ServeTLS)
			roots := x509.NewCertPool()
			roots.AddCert(authority.GetRootCert(0).Cert)
			if res, text, err := secure(t, address.Addr().String(), roots, "/"); err != nil || res.ProtoMajor != 2 || text != "page" {
				t.Fatalf("%v %q %v", res, text, err)
			}
			if kept, err := filepath.Glob(filepath.Join(cache, "news.example*")); err != nil || len(kept) == 0 {
				t.Errorf("nothing is kept: %v", err)
			}
			// Nobody is asked for hosts without routes.
			c := tls.Client(must(net.Dial("tcp", address.Addr().String())), &tls.Config{ServerName: "other.example", RootCAs: roots})
			defer c.Close()
			if err := c.Handshake(); err == nil {
				t.Error("a certificate was shown for a host without routes")
			}
		})
	}
}

func must(c net.Conn, err error) net.Conn {
	if err != nil {
		panic(err)
	}
	return c
}

func reserve(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
