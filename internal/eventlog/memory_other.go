//go:build !unix

package eventlog

func allocate(n int) (mem []byte, mapped bool) { return make([]byte, n), false }

func release([]byte, bool) {}
