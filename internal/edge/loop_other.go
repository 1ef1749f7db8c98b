//go:build !linux

package edge

import "net"

// loops need epoll; elsewhere the general server does it all.
type loops struct{}

func newLoops(*Server, net.Listener) (*loops, error) { return nil, nil }

func (*loops) accept() error         { return nil }
func (*loops) drain(<-chan struct{}) {}
func (*loops) close() error          { return nil }
