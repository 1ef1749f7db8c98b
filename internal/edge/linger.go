package edge

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// A connection that is closed while its peer still sends is reset, and the peer
// may lose the answer that says why. So after an answer to a body that was not
// read, the rest of it is read and dropped, this much and this long at most.
const (
	lingerBytes = 16 << 20
	lingerTime  = time.Second
)

// lingering is a listener whose connections do that.
type lingering struct{ net.Listener }

// Accept implements net.Listener.
func (l lingering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingeringConn{Conn: c}, nil
}

type lingeringConn struct {
	net.Conn
	unread atomic.Bool // the peer may still be sending
}

// Close implements net.Conn.
func (c *lingeringConn) Close() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.unread.Swap(false) {
		if half.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
			_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
		}
	}
	return c.Conn.Close()
}
