// Package handover hands connections on from who accepted them, and has perhaps
// read of them, to a server that knows how to go on.
package handover

import (
	"errors"
	"net"
	"sync"
)

// Conn is a connection of which some bytes have been read.
type Conn struct {
	net.Conn
	Begun []byte // what has been read; it is the Conn's
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.Begun) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.Begun)
	if c.Begun = c.Begun[n:]; len(c.Begun) == 0 {
		c.Begun = nil
	}
	return n, nil
}

// CloseWrite lets a connection linger.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Listener is a net.Listener of connections that are given to it.
type Listener struct {
	given chan net.Conn
	stop  chan struct{}
	once  sync.Once
}

// NewListener makes a listener.
func NewListener() *Listener {
	return &Listener{given: make(chan net.Conn), stop: make(chan struct{})}
}

// Give hands a connection on. It waits until it is accepted; when the listener is
// closed the connection is too.
func (l *Listener) Give(c net.Conn) {
	select {
	case l.given <- c:
	case <-l.stop:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.given:
		return c, nil
	case <-l.stop:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.stop) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{} }

var (
	_ net.Conn     = (*Conn)(nil)
	_ net.Listener = (*Listener)(nil)
)
