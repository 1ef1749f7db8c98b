package harness

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Lines calls fn with each line of the answer to a GET with the root key, until
// the answer ends, fn returns an error, or ctx ends. A line is valid until fn
// returns.
func (s *Server) Lines(ctx context.Context, path string, fn func(line []byte) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL(path), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+RootKey)
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		return fmt.Errorf("GET %s: %w", path, &StatusError{Status: res.StatusCode, Body: string(text)})
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if err := fn(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
