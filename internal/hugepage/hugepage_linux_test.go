//go:build linux && !race && !msan && !asan

package hugepage

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// kilobytes reads a figure of the process's memory.
func kilobytes(t *testing.T, name string) int {
	t.Helper()
	all, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Skip("the system does not say what memory is made of:", err)
	}
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(all)
	if m == nil {
		t.Fatalf("no %s in\n%s", name, all)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

// pieces allocates n times 1 MB, as a heap grows, and touches all of it.
func pieces(n int) (held [][]byte) {
	for range n {
		piece := make([]byte, 1<<20)
		touch(piece)
		held = append(held, piece)
	}
	return held
}

func touch(mem []byte) {
	for i := 0; i < len(mem); i += 4 << 10 {
		mem[i] = 1
	}
}

// huge skips where the system gives huge pages to nobody.
func huge(t *testing.T) {
	t.Helper()
	if mode, err := os.ReadFile(enabled); err != nil || bytes.Contains(mode, []byte("[never]")) {
		t.Skip("the system gives no huge pages")
	}
}

func TestReservedHeapLiesInHugePagesAndTakesNoMemory(t *testing.T) {
	huge(t)
	before := kilobytes(t, "Rss")
	if wanted() != (Reserve(512<<20) != nil) {
		t.Error("not reserved")
	}
	if grown := kilobytes(t, "Rss") - before; grown > 16<<10 {
		t.Errorf("reserving 512 MB took %d KB of memory", grown)
	}
	was := kilobytes(t, "AnonHugePages")
	held := pieces(128)
	if grown := kilobytes(t, "AnonHugePages") - was; grown < 96<<10 {
		t.Errorf("of 128 MB that were touched %d KB lie in huge pages", grown)
	}
	runtime.KeepAlive(held)
}

// What is touched ahead is what the heap grows to: it then takes no more memory. It is
// tried in a process of its own, whose heap has nowhere else to grow.
func TestHeapGrowsToWhatWasTouched(t *testing.T) {
	huge(t)
	if !wanted() {
		t.Skip("the system gives huge pages without being asked")
	}
	if size, _ := os.ReadFile(sizeFile); string(bytes.TrimSpace(size)) != strconv.Itoa(Size) {
		t.Skip("huge pages have another size")
	}
	if probe := make([]byte, 2*os.Getpagesize()); !populates(probe) {
		t.Skip("the system is older than Linux 5.14")
	}
	const alone = "READERSHIP_TEST_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.count", "1", "-test.v")
		cmd.Env = append(os.Environ(), alone+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	r := Reserve(64 << 20)
	if r == nil {
		t.Fatal("not reserved")
	}
	before := kilobytes(t, "Rss")
	next := func() bool {
		more, err := r.Touch()
		if err != nil {
			t.Fatal(err)
		}
		return more
	}
	for range 32 << 20 / Size {
		if !next() {
			t.Fatal("there is an end too early")
		}
	}
	after := kilobytes(t, "Rss")
	if grown := after - before; grown < 24<<10 || grown > 40<<10 {
		t.Errorf("touching 32 MB took %d KB of memory", grown)
	}
	held := pieces(16)
	if grown := kilobytes(t, "Rss") - after; grown > 6<<10 {
		t.Errorf("growing by 16 MB took %d KB more", grown)
	}
	more := 0
	for next() {
		if more++; more > 32<<20/Size {
			t.Fatal("there is no end")
		}
	}
	if more < 24<<20/Size || next() {
		t.Errorf("there were %d pages more", more)
	}
	runtime.KeepAlive(held)
}

// populates says whether the system touches pages for whoever asks.
func populates(mem []byte) bool {
	first, end := pages(&mem[0], len(mem))
	return madvise(first, end, unix.MADV_POPULATE_WRITE) == nil
}

func TestMappedMemoryLiesInHugePages(t *testing.T) {
	huge(t)
	mem, err := unix.Mmap(-1, 0, 32<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	was := kilobytes(t, "AnonHugePages")
	Advise(mem)
	touch(mem)
	if grown := kilobytes(t, "AnonHugePages") - was; grown < 28<<10 {
		t.Errorf("of 32 MB that were touched %d KB lie in huge pages", grown)
	}
}

func TestWhatTheSystemDoesNotMapIsNotReserved(t *testing.T) {
	if Reserve(1<<46) != nil || Reserve(0) != nil || Reserve(-1) != nil {
		t.Error("reserved what cannot be")
	}
	Advise(nil)
	Advise(make([]byte, 100))
}
