import { DropdownMenu, Tabs } from 'radix-ui'
import { type SubmitEvent, useState } from 'react'
import { Confirm } from '../../components/Confirm'
import { Field } from '../../components/Field'
import { Icon } from '../../components/Icon'
import { Modal } from '../../components/Modal'
import { useMessages, useText } from '../../i18n'
import { type Files, mainFile, nameFault, namesOf } from './draft'
import { programMessages } from './words'

interface FileTabsProps {
  files: Files
  /** The file that is shown. */
  file: string
  readOnly: boolean
  /** How many errors a file has. */
  errorsOf: (file: string) => number
  onAdd: (name: string) => void
  onRename: (old: string, name: string) => void
  onDelete: (name: string) => void
}

/** The files of a program; stands in Tabs.Root. */
export function FileTabs({ files, file, readOnly, errorsOf, onAdd, onRename, onDelete }: FileTabsProps) {
  const w = useMessages(programMessages)
  const t = useText()
  const [asked, setAsked] = useState<'add' | 'rename' | 'delete' | null>(null)
  return (
    <div className="file-tabs">
      <Tabs.List className="file-list" aria-label={w('files.label')}>
        {namesOf(files).map((name) => (
          <Tabs.Trigger key={name} value={name} className="file-tab">
            {name}
            {errorsOf(name) > 0 && (
              <span className="file-errors" title={w('files.errors', { n: errorsOf(name) })}>
                {errorsOf(name)}
              </span>
            )}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {!readOnly && file !== mainFile && (
        <DropdownMenu.Root>
          <DropdownMenu.Trigger className="icon-button" aria-label={w('files.actions', { file })}>
            <Icon name="more" />
          </DropdownMenu.Trigger>
          <DropdownMenu.Portal>
            <DropdownMenu.Content className="pop menu" align="start" sideOffset={6} collisionPadding={12}>
              <DropdownMenu.Item className="menu-item" onSelect={() => setAsked('rename')}>
                {w('files.rename')}
              </DropdownMenu.Item>
              <DropdownMenu.Item className="menu-item" onSelect={() => setAsked('delete')}>
                {t('action.delete')}
              </DropdownMenu.Item>
            </DropdownMenu.Content>
          </DropdownMenu.Portal>
        </DropdownMenu.Root>
      )}
      {!readOnly && (
        <button type="button" className="icon-button" onClick={() => setAsked('add')} aria-label={w('files.add')} title={w('files.add')}>
          <Icon name="plus" />
        </button>
      )}
      {(asked === 'add' || asked === 'rename') && (
        <NameDialog
          title={asked === 'add' ? w('files.add') : w('files.rename_title', { file })}
          action={asked === 'add' ? w('files.add_action') : w('files.rename')}
          old={asked === 'rename' ? file : ''}
          files={files}
          onClose={() => setAsked(null)}
          onName={(name) => {
            if (asked === 'add') onAdd(name)
            else onRename(file, name)
            setAsked(null)
          }}
        />
      )}
      <Confirm
        open={asked === 'delete'}
        title={w('files.delete_title', { file })}
        about={w('files.delete_about')}
        action={t('action.delete')}
        error={null}
        onClose={() => setAsked(null)}
        onConfirm={() => {
          onDelete(file)
          setAsked(null)
        }}
      />
    </div>
  )
}

interface NameDialogProps {
  title: string
  action: string
  old: string
  files: Files
  onClose: () => void
  onName: (name: string) => void
}

function NameDialog({ title, action, old, files, onClose, onName }: NameDialogProps) {
  const w = useMessages(programMessages)
  const [name, setName] = useState(old)
  const [tried, setTried] = useState(false)
  const fault = name === old && old !== '' ? null : nameFault(name, files)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (fault === null) onName(name)
    else setTried(true)
  }
  return (
    <Modal open onClose={onClose} title={title}>
      <form className="form" onSubmit={submit}>
        <Field
          label={w('files.name')}
          hint={w('files.name_hint', { name: name || 'shared' })}
          fault={tried && fault ? w(`files.fault_${fault}`) : undefined}
          name="name"
          autoFocus
          spellCheck={false}
          autoCapitalize="off"
          value={name}
          onChange={(e) => setName(e.target.value)}
        />
        <div className="form-end">
          <button type="submit" className="button button-main">
            {action}
          </button>
        </div>
      </form>
    </Modal>
  )
}
