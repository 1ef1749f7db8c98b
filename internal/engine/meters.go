package engine

import (
	"slices"
	"strconv"
	"strings"
)

// meter is what a burn says of its meter, alike for most burns.
type meter struct {
	name  string
	limit int64
	rule  uint64
}

func meterOf(b *Burn) meter { return meter{b.Meter, b.Limit, b.Rule} }

// meters number what burns say of their meters, from 1. The daily sweep of burns
// frees the numbers that none has any more.
type meters struct {
	list  []meter // by number, less one; those that a view has seen stay as they are
	codes map[meter]uint32
	spare []uint32 // numbers that are free
	used  []bool   // by number, less one: seen by the sweep that is on its way
}

func newMeters() meters { return meters{codes: map[meter]uint32{}} }

// meterAt returns the meter of a number.
func meterAt(list []meter, code uint32) meter {
	if code == 0 || int(code) > len(list) {
		return meter{} // of a checkpoint that was changed
	}
	return list[code-1]
}

// code returns the number of a meter, which is in use from then on.
func (m *meters) code(of meter) uint32 {
	code, ok := m.codes[of]
	if !ok {
		of.name = strings.Clone(of.name)
		if n := len(m.spare); n > 0 {
			code, m.spare = m.spare[n-1], m.spare[:n-1]
			m.list = slices.Clone(m.list)
			m.list[code-1] = of
		} else {
			m.list, m.used = append(m.list, of), append(m.used, false)
			code = uint32(len(m.list))
		}
		m.codes[of] = code
	}
	m.use(code)
	return code
}

// use notes that a burn has a number.
func (m *meters) use(code uint32) {
	if code != 0 && int(code) <= len(m.used) {
		m.used[code-1] = true
	}
}

// free frees the numbers that were not used since used was cleared.
func (m *meters) free() {
	for i, of := range m.list {
		if code := uint32(i + 1); !m.used[i] && m.codes[of] == code {
			delete(m.codes, of)
			m.spare = append(m.spare, code)
		}
	}
}

// bytes estimates the memory.
func (m *meters) bytes() (n int64) {
	for i := range m.list {
		n += 96 + int64(len(m.list[i].name))
	}
	return n
}

// texts returns what each number stands for, as a checkpoint keeps it: "" is free.
func (m *meters) texts() []string {
	out := make([]string, len(m.list))
	for i, of := range m.list {
		if m.codes[of] == uint32(i+1) {
			out[i] = of.text()
		}
	}
	return out
}

// load puts in place what texts returned.
func (m *meters) load(texts []string) {
	for i, text := range texts {
		of, code := readMeter(text), uint32(i+1)
		m.list, m.used = append(m.list, of), append(m.used, false)
		if _, twice := m.codes[of]; text == "" {
			m.spare = append(m.spare, code)
		} else if !twice {
			m.codes[of] = code
		}
	}
}

func (m meter) text() string {
	return m.name + "\x00" + strconv.FormatInt(m.limit, 10) + "\x00" + strconv.FormatUint(m.rule, 16)
}

// readMeter reads what text wrote.
func readMeter(text string) (m meter) {
	i := strings.LastIndexByte(text, 0)
	j := strings.LastIndexByte(text[:max(i, 0)], 0)
	if j < 0 {
		return m
	}
	m.name = text[:j]
	m.limit, _ = strconv.ParseInt(text[j+1:i], 10, 64)
	m.rule, _ = strconv.ParseUint(text[i+1:], 16, 64)
	return m
}
