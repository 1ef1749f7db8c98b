package api

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/readership/readership/internal/problem"
	"github.com/readership/readership/internal/store"
)

// An answer is remembered for replyTime, and maxReplies of them at most: of more the
// oldest go, and their requests would be made anew. A request is ended after runTime,
// and taken for lost with its process after claimTime.
const (
	replyTime  = 24 * time.Hour
	maxReplies = 1 << 18
	runTime    = 4 * time.Minute
	claimTime  = 5 * time.Minute
)

// reply is a remembered answer.
type reply struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// idempotently answers a repeated request as the first one was answered. The
// answer is sealed with the caller's own key, which is not stored: answers may
// hold secrets that are shown once.
func (a *API) idempotently(ctx huma.Context, w http.ResponseWriter, r *http.Request, next func(huma.Context)) {
	c := callOf(r.Context())
	name := r.Header.Get("Idempotency-Key")
	body, err := io.ReadAll(r.Body)
	if err != nil || len(name) > 255 {
		unprocessable(problem.Fault{Location: "header.Idempotency-Key", Code: "too_long", Message: "has at most 255 characters"}).Respond(w)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	now := a.Now()
	claim := store.Reply{
		Key:         digest(c.principal.Kind.String(), c.principal.ID, name),
		Fingerprint: digest(r.Method, r.URL.RequestURI(), string(body)),
		CreatedAt:   now.UnixMilli(), ExpiresAt: now.Add(claimTime).UnixMilli(),
	}
	seal := digest("seal", c.secret, name)
	earlier, err := a.Store.BeginReply(r.Context(), claim, maxReplies)
	if errors.Is(err, store.ErrExists) {
		a.repeat(w, r, earlier, claim.Fingerprint, seal)
		return
	}
	if err != nil {
		p, _ := problem.As(a.failed(r.Context(), err))
		p.Respond(w)
		return
	}
	record := &recorder{header: w.Header().Clone()}
	finished := false
	// A caller that goes away comes back for the answer: neither the request nor its
	// claim ends with it.
	lasting := context.WithoutCancel(r.Context())
	running, end := context.WithTimeout(lasting, runTime)
	defer end()
	defer func() {
		if !finished {
			_ = a.Store.DropReply(lasting, claim.Key) // it expires in any case
		}
	}()
	next(humago.NewContext(ctx.Operation(), r.WithContext(running), record))
	if record.status == 0 {
		record.status = http.StatusOK
	}
	if record.status < 500 && record.status != http.StatusTooManyRequests {
		kept := reply{Status: record.status, Header: http.Header{}, Body: record.body.Bytes()}
		for _, h := range []string{"Content-Type", "Location", "Etag"} {
			if v, ok := record.header[h]; ok {
				kept.Header[h] = v
			}
		}
		sealed, err := sealReply(a.Random, seal, kept)
		if err == nil {
			err = a.Store.EndReply(lasting, claim.Key, sealed, now.Add(replyTime).UnixMilli())
		}
		if err != nil {
			a.Logger.Error("answer not kept for its idempotency key", "request", c.id, "error", err)
		} else {
			finished = true
		}
	}
	for name, values := range record.header {
		w.Header()[name] = values
	}
	w.WriteHeader(record.status)
	_, _ = w.Write(record.body.Bytes()) // the caller may have gone
}

// repeat answers from an earlier claim.
func (a *API) repeat(w http.ResponseWriter, r *http.Request, earlier store.Reply, fingerprint store.Hash, seal store.Hash) {
	switch {
	case earlier.Fingerprint != fingerprint:
		unprocessable(problem.Fault{Location: "header.Idempotency-Key", Code: "reused", Message: "was used for another request"}).Respond(w)
		return
	case !earlier.Done:
		problem.New(http.StatusConflict, "the first request with this idempotency key is under way").
			WithCode("in_progress").WithRetryAfter(time.Second).Respond(w)
		return
	}
	kept, err := openReply(seal, earlier.Sealed)
	if err != nil {
		p, _ := problem.As(a.failed(r.Context(), err))
		p.Respond(w)
		return
	}
	for name, values := range kept.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(kept.Status)
	_, _ = w.Write(kept.Body)
}

// digest hashes parts so that no two lists of parts are alike.
func digest(parts ...string) store.Hash {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return store.Hash(h.Sum(nil))
}

func sealReply(random io.Reader, key store.Hash, r reply) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	box, err := gcm(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, err
	}
	return box.Seal(nonce, nonce, plain, nil), nil
}

func openReply(key store.Hash, sealed []byte) (reply, error) {
	var r reply
	box, err := gcm(key)
	if err != nil {
		return r, err
	}
	if len(sealed) < box.NonceSize() {
		return r, errors.New("a remembered answer is cut short")
	}
	plain, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], nil)
	if err != nil {
		return r, fmt.Errorf("open remembered answer: %w", err)
	}
	return r, json.Unmarshal(plain, &r)
}

func gcm(key store.Hash) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.body.Write(b)
}
