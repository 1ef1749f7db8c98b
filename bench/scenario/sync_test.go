package scenario

import (
	"strings"
	"testing"
)

// A trace in which the first answer is preceded by its sync, the second by a
// sync that began before the write, the third by one that returned too late,
// the fourth by one of another file, and the fifth by a failed one.
const trace = `10 pwrite64(7</d/1.blk>, "..mark-000000-mark..", 20, 0) = 20
11 fsync(7</d/1.blk> <unfinished ...>
10 write(9<socket:[1]>, "x", 1) = 1
11 <... fsync resumed>) = 0
10 write(9<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"accepted\":1}", 40) = 40
11 fsync(7</d/1.blk> <unfinished ...>
10 pwrite64(7</d/1.blk>, "..mark-000001-mark..", 20, 20) = 20
11 <... fsync resumed>) = 0
10 write(9<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"accepted\":1}", 40) = 40
10 pwrite64(7</d/1.blk>, "..mark-000002-mark..", 20, 40) = 20
11 fsync(7</d/1.blk> <unfinished ...>
10 write(9<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"accepted\":1}", 40) = 40
11 <... fsync resumed>) = 0
10 pwrite64(7</d/1.blk>, "..mark-000003-mark..", 20, 60) = 20
11 fsync(8</d/2.blk>) = 0
10 write(9<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"accepted\":1}", 40) = 40
10 pwrite64(7</d/1.blk>, "..mark-000004-mark..", 20, 80) = 20
11 fsync(7</d/1.blk>) = -1 EIO (Input/output error)
10 write(9<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"accepted\":1}", 40) = 40
`

func TestOnlyASyncBetweenWriteAndAnswerCounts(t *testing.T) {
	shown, err := syncedAnswers(strings.NewReader(trace), 5)
	if err != nil {
		t.Fatal(err)
	}
	if shown != 1 {
		t.Errorf("%d answers count as synced, want the first one only", shown)
	}
	if _, err := syncedAnswers(strings.NewReader(trace), 6); err == nil {
		t.Error("a missing answer is not noticed")
	}
}
