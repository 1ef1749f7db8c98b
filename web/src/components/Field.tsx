import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from 'react'

interface About {
  label: string
  hint?: ReactNode
  fault?: string | undefined
}

function Frame({ id, label, hint, fault, children }: About & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {fault ? (
        <p className="field-fault" id={`${id}-about`} role="alert">
          {fault}
        </p>
      ) : (
        hint && (
          <p className="field-hint" id={`${id}-about`}>
            {hint}
          </p>
        )
      )}
    </div>
  )
}

/** A labelled field with a hint, or the fault in its place. */
export function Field({ label, hint, fault, ...input }: About & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId()
  return (
    <Frame id={id} label={label} hint={hint} fault={fault}>
      <input id={id} className="input" aria-invalid={fault !== undefined} aria-describedby={fault || hint ? `${id}-about` : undefined} {...input} />
    </Frame>
  )
}

/** A labelled list to choose from. */
export function SelectField({ label, hint, fault, children, ...select }: About & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId()
  return (
    <Frame id={id} label={label} hint={hint} fault={fault}>
      <select id={id} className="input" aria-invalid={fault !== undefined} aria-describedby={fault || hint ? `${id}-about` : undefined} {...select}>
        {children}
      </select>
    </Frame>
  )
}
