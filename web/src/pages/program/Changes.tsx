import { unifiedMergeView } from '@codemirror/merge'
import { EditorState } from '@codemirror/state'
import { EditorView, lineNumbers } from '@codemirror/view'
import { useEffect, useRef } from 'react'
import { useMessages } from '../../i18n'
import { useDark } from '../../state/preferences'
import { type Files, changedFiles, namesOf } from './draft'
import { colours, rubric } from './rubric'
import { look } from './theme'
import { programMessages } from './words'

/** What differs from one program to another, file by file. */
export function Changes({ before, after }: { before: Files; after: Files }) {
  const w = useMessages(programMessages)
  const changed = changedFiles(before, after)
  if (changed.length === 0) return <p className="muted">{w('changes.none')}</p>
  const several = namesOf({ ...before, ...after }).length > 1
  return (
    <div className="stack">
      {changed.map((c) => (
        <div key={c.name}>
          {several && (
            <h3 className="changes-file">
              <code>{c.name}</code> {c.kind !== 'changed' && <span className="muted">{w(`changes.${c.kind}`)}</span>}
            </h3>
          )}
          <Reading text={c.after} before={c.before} label={w('changes.of', { file: c.name })} />
        </div>
      ))}
    </div>
  )
}

/** A program to read. */
export function Texts({ files }: { files: Files }) {
  const w = useMessages(programMessages)
  const names = namesOf(files)
  return (
    <div className="stack">
      {names.map((name) => (
        <div key={name}>
          {names.length > 1 && (
            <h3 className="changes-file">
              <code>{name}</code>
            </h3>
          )}
          <Reading text={files[name] ?? ''} label={w('editor.label', { file: name })} />
        </div>
      ))}
    </div>
  )
}

/** A text to read, with what has changed in it if there is one from before. */
function Reading({ text, before, label }: { text: string; before?: string; label: string }) {
  const w = useMessages(programMessages)
  const dark = useDark()
  const host = useRef<HTMLDivElement>(null)
  const collapsed = w('changes.unchanged')
  useEffect(() => {
    if (!host.current) return
    const view = new EditorView({
      parent: host.current,
      doc: text,
      extensions: [
        lineNumbers(),
        EditorView.lineWrapping,
        EditorState.readOnly.of(true),
        EditorView.editable.of(false),
        EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
        EditorState.phrases.of({ '$ unchanged lines': collapsed }),
        rubric,
        colours,
        look,
        EditorView.darkTheme.of(dark),
        before === undefined ? [] : unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: { margin: 2, minSize: 4 } }),
      ],
    })
    return () => view.destroy()
  }, [text, before, label, dark, collapsed])
  return <div className="code-reading" ref={host} />
}
