package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/readership/readership/bench/dataset"
)

// clickHouse is a server of its own, started for this run; it is asked over
// HTTP, which costs it about a millisecond a question.
type clickHouse struct {
	cmd     *exec.Cmd
	dir     string
	addr    string
	threads int
	text    string
}

const clickHouseConfig = `<yandex>
<logger><level>warning</level><log>%[1]s/log</log><errorlog>%[1]s/errors</errorlog></logger>
<http_port>%[2]s</http_port><tcp_port>%[3]s</tcp_port><listen_host>127.0.0.1</listen_host>
<path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path>
<mark_cache_size>1073741824</mark_cache_size><uncompressed_cache_size>0</uncompressed_cache_size>
<users_config>%[1]s/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
</yandex>`

const clickHouseUsers = `<yandex><profiles><default><max_memory_usage>12000000000</max_memory_usage></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default></default></quotas></yandex>`

// openClickHouse starts a server; the error wraps exec.ErrNotFound where none
// is installed.
func openClickHouse(ctx context.Context, clicks []dataset.Click, threads int) (_ system, err error) {
	program, err := exec.LookPath("clickhouse-server")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/clickhouse-server"); err != nil {
			return nil, fmt.Errorf("clickhouse-server: %w", exec.ErrNotFound)
		}
	}
	c := &clickHouse{threads: threads}
	if c.dir, err = os.MkdirTemp("", "clickhouse-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	httpPort, err := freePort()
	if err != nil {
		return nil, err
	}
	tcpPort, err := freePort()
	if err != nil {
		return nil, err
	}
	c.addr = "127.0.0.1:" + httpPort
	config := filepath.Join(c.dir, "config.xml")
	if err := errors.Join(os.WriteFile(config, fmt.Appendf(nil, clickHouseConfig, c.dir, httpPort, tcpPort), 0o644),
		os.WriteFile(filepath.Join(c.dir, "users.xml"), []byte(clickHouseUsers), 0o644)); err != nil {
		return nil, err
	}
	c.cmd = exec.Command(program, "--config-file="+config)
	c.cmd.Dir = c.dir
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := c.fill(ctx, clicks); err != nil {
		return nil, err
	}
	return c, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

func (c *clickHouse) fill(ctx context.Context, clicks []dataset.Click) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		version, err := c.query(ctx, "SELECT version()", nil)
		if err == nil {
			c.text = "ClickHouse " + strings.TrimSpace(string(version))
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not answer: %w", err)
		}
		time.Sleep(50 * time.Millisecond) // until it listens
	}
	table := fmt.Sprintf("CREATE TABLE clicks ("+columns+") ENGINE = MergeTree PARTITION BY tuple() ORDER BY time", "Int64", "UInt32", "UInt32", "UInt8", "UInt8", "UInt8", "UInt8", "UInt8", "UInt8")
	if _, err := c.query(ctx, table, nil); err != nil {
		return err
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(writeRowBinary(pw, clicks)) }()
	if _, err := c.query(ctx, "INSERT INTO clicks FORMAT RowBinary", pr); err != nil {
		return err
	}
	for _, statement := range []string{"OPTIMIZE TABLE clicks FINAL",
		"CREATE TABLE visits (start Int64, views Int64) ENGINE = MergeTree PARTITION BY tuple() ORDER BY start", "INSERT INTO visits " + visitsClick} {
		if _, err := c.query(ctx, statement, http.NoBody); err != nil {
			return err
		}
	}
	return nil
}

func writeRowBinary(w io.Writer, clicks []dataset.Click) error {
	b := bufio.NewWriterSize(w, 1<<20)
	var line []byte
	for i := range clicks {
		c := &clicks[i]
		line = binary.LittleEndian.AppendUint64(line[:0], uint64(c.Time))
		line = binary.LittleEndian.AppendUint32(line, c.Reader)
		line = binary.LittleEndian.AppendUint32(line, c.Item)
		codes := c.Codes()
		if _, err := b.Write(append(line, codes[:]...)); err != nil {
			return err
		}
	}
	return b.Flush()
}

// query sends a statement; data follows an INSERT.
func (c *clickHouse) query(ctx context.Context, statement string, data io.Reader) ([]byte, error) {
	q := url.Values{"query": {statement}, "max_threads": {strconv.Itoa(c.threads)}}
	if data == nil {
		data = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addr+"/?"+q.Encode(), data)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("ClickHouse: %s\n%s", bytes.TrimSpace(body), statement)
	}
	return body, err
}

func (c *clickHouse) name() string { return c.text }

func (c *clickHouse) ask(ctx context.Context, q *question) ([]row, time.Duration, error) {
	start := time.Now()
	body, err := c.query(ctx, q.click, nil)
	took := time.Since(start)
	if err != nil {
		return nil, 0, err
	}
	var out []row
	for line := range strings.Lines(string(body)) {
		var values []float64
		for field := range strings.SplitSeq(strings.TrimRight(line, "\n"), "\t") {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return nil, 0, fmt.Errorf("answer %q: %w", line, err)
			}
			values = append(values, v)
		}
		out = append(out, rowOf(values, q.keys))
	}
	return out, took, nil
}

func (c *clickHouse) close() error {
	if c.cmd != nil && c.cmd.Process != nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
	return os.RemoveAll(c.dir)
}
