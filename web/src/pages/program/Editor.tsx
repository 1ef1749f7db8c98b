import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { bracketMatching, indentOnInput } from '@codemirror/language'
import { type Diagnostic, lintGutter, linter, nextDiagnostic, previousDiagnostic, setDiagnostics } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import { EditorView, drawSelection, dropCursor, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers } from '@codemirror/view'
import { useEffect, useLayoutEffect, useRef } from 'react'
import type { ProgramFault, ProgramSchema } from '../../api/types'
import { useDark } from '../../state/preferences'
import { suggest } from './complete'
import type { Files } from './draft'
import { type Place, spanOf } from './places'
import { colours, rubric } from './rubric'
import { look } from './theme'

/** A place to go to; each is a new object, so that one can go to the same place again. */
export interface Jump extends Place {
  file: string
}

export interface EditorProps {
  files: Files
  /** The file that is shown. */
  file: string
  /** Changes when other files are loaded: what can be undone begins anew. */
  loaded: number
  readOnly: boolean
  faults: readonly ProgramFault[]
  schema: ProgramSchema | undefined
  /** What to say of a name when one rests on it; "" is nothing. */
  about: (name: string) => string
  jump: Jump | null
  label: string
  phrases: Record<string, string>
  onChange: (file: string, text: string) => void
  onStore: () => void
}

const setUp = (extra: Extension): Extension => [
  lineNumbers(),
  highlightActiveLineGutter(),
  highlightActiveLine(),
  lintGutter(),
  history(),
  drawSelection(),
  dropCursor(),
  indentOnInput(),
  bracketMatching(),
  closeBrackets(),
  highlightSelectionMatches(),
  search({ top: true }),
  linter(null),
  EditorState.tabSize.of(2),
  EditorView.lineWrapping,
  rubric,
  colours,
  look,
  extra,
]

/** A text of a program that is written, with what the server says about it. */
export function Editor(props: EditorProps) {
  const { files, file, loaded, readOnly, faults, jump, label, phrases } = props
  const dark = useDark()
  const host = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const latest = useRef(props)
  // Every file keeps its own history and selection while another one is shown.
  const kept = useRef(new Map<string, EditorState>())
  const shown = useRef({ file: '', loaded: -1 })
  const parts = useRef({ theme: new Compartment(), access: new Compartment() })

  useLayoutEffect(() => {
    latest.current = props
  })

  useEffect(() => {
    if (!host.current) return
    const created = new EditorView({ parent: host.current })
    view.current = created
    return () => {
      created.destroy()
      view.current = null
      shown.current = { file: '', loaded: -1 }
    }
  }, [])

  // The file that is shown.
  useEffect(() => {
    const v = view.current
    if (!v) return
    if (shown.current.loaded !== loaded) kept.current.clear()
    else if (shown.current.file !== '' && shown.current.file !== file) kept.current.set(shown.current.file, v.state)
    if (shown.current.loaded !== loaded || shown.current.file !== file) {
      const text = files[file] ?? ''
      const old = kept.current.get(file)
      v.setState(old?.doc.toString() === text ? old : newState(text))
      shown.current = { file, loaded }
    }
    v.dispatch({ effects: [parts.current.theme.reconfigure(EditorView.darkTheme.of(dark)), parts.current.access.reconfigure([EditorState.readOnly.of(readOnly), EditorView.contentAttributes.of({ 'aria-label': label, ...(readOnly ? { 'aria-readonly': 'true' } : {}) })])] })

    function newState(text: string): EditorState {
      const complete = (context: CompletionContext): CompletionResult | null => {
        const { files, file, schema } = latest.current
        const before = context.state.sliceDoc(0, context.pos)
        const found = suggest(before, { ...files, [file]: context.state.doc.toString() }, schema)
        const begun = found && (found.from < context.pos || /[."]$/.test(before) || /\|>\s*$/.test(before))
        if (!found || !(begun || context.explicit)) return null
        return { from: found.from, options: found.list, validFor: /^[\w ]*$/ }
      }
      const store = () => {
        latest.current.onStore()
        return true
      }
      const hover = hoverTooltip((v, at) => {
        const word = v.state.wordAt(at)
        const text = word ? latest.current.about(v.state.sliceDoc(word.from, word.to)) : ''
        if (!word || text === '') return null
        const create = () => {
          const dom = document.createElement('div')
          dom.className = 'cm-diagnostic'
          dom.textContent = text
          return { dom }
        }
        return { pos: word.from, end: word.to, above: true, create }
      })
      return EditorState.create({
        doc: text,
        extensions: setUp([
          // Tab leaves the editor, as everywhere; what is suggested is taken by Enter, or by Tab.
          keymap.of([
            { key: 'Mod-s', run: store, preventDefault: true },
            { key: 'F8', run: nextDiagnostic, shift: previousDiagnostic },
            { key: 'Tab', run: acceptCompletion },
            ...closeBracketsKeymap,
            ...defaultKeymap,
            ...searchKeymap,
            ...historyKeymap,
            ...completionKeymap,
          ]),
          autocompletion({ override: [complete], icons: false }),
          hover,
          EditorState.phrases.of(phrases),
          parts.current.theme.of([]),
          parts.current.access.of([]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(latest.current.file, update.state.doc.toString())
          }),
        ]),
      })
    }
    // The text itself is the editor's own; it is taken from outside only when other files are loaded.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [file, loaded, dark, readOnly, label])

  // What the server says about it.
  useEffect(() => {
    const v = view.current
    if (!v) return
    const marks = faults.filter((f) => f.file === file).map((f): Diagnostic => ({ ...spanOf(v.state.doc, f), severity: f.severity, message: f.hint ? `${f.message}\n${f.hint}` : f.message }))
    v.dispatch(setDiagnostics(v.state, marks))
  }, [faults, file, loaded])

  useEffect(() => {
    const v = view.current
    if (!v || jump?.file !== file) return
    const { from, to } = spanOf(v.state.doc, jump)
    v.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from, { y: 'center' }) })
    v.focus()
    // Once for each jump, also if its file had to be shown first.
  }, [jump, file])

  return <div className="code-editor" ref={host} />
}
