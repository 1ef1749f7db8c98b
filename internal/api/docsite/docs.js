// Shows the OpenAPI description of this server and lets each operation be tried.
'use strict';

const $ = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'class') e.className = value;
    else if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) e.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children) if (child !== undefined && child !== null) e.append(child);
  return e;
}

let spec;

function resolve(schema) {
  while (schema && schema.$ref) schema = spec.components.schemas[schema.$ref.split('/').pop()];
  return schema || {};
}

function typeName(schema) {
  if (!schema) return '';
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.oneOf) return schema.oneOf.map(typeName).join(' or ');
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(' | ');
  const type = Array.isArray(schema.type) ? schema.type.join(' or ') : schema.type;
  if (type === 'array') return typeName(schema.items) + '[]';
  return (type || 'any') + (schema.format ? ' (' + schema.format + ')' : '');
}

function example(schema, depth) {
  const s = resolve(schema);
  if (s.examples && s.examples.length) return s.examples[0];
  if (s.default !== undefined) return s.default;
  if (s.oneOf) return example(s.oneOf[0], depth);
  if (s.enum) return s.enum[0];
  const type = Array.isArray(s.type) ? s.type[0] : s.type;
  if (type === 'object') {
    const out = {};
    if (depth > 3) return out;
    const required = new Set(s.required || []);
    for (const [name, property] of Object.entries(s.properties || {})) {
      const hasExample = (resolve(property).examples || []).length > 0;
      if (required.has(name) || hasExample) out[name] = example(property, depth + 1);
    }
    return out;
  }
  if (type === 'array') return depth > 3 ? [] : [example(s.items, depth + 1)];
  return { string: '', integer: 0, number: 0, boolean: false }[type] ?? null;
}

function fields(schema, seen = new Set()) {
  const s = resolve(schema);
  if (s.type === 'array') return fields(s.items, seen);
  if (s.oneOf) return fields(s.oneOf[0], seen);
  if (!s.properties) return null;
  const required = new Set(s.required || []);
  const rows = Object.entries(s.properties).map(([name, property]) =>
    element('tr', {}, element('td', {}, element('code', {}, name + (required.has(name) ? ' *' : ''))),
      element('td', {}, typeName(property)), element('td', {}, property.description || resolve(property).description || '')));
  return element('table', {}, element('tbody', {}, ...rows));
}

function responses(op) {
  const rows = Object.entries(op.responses || {}).map(([status, response]) => {
    const content = Object.entries(response.content || {}).map(([media, m]) => media + (m.schema ? ': ' + typeName(m.schema) : ''));
    return element('tr', {}, element('td', {}, status), element('td', {}, response.description || ''), element('td', {}, content.join('; ')));
  });
  return element('table', {}, element('tbody', {}, ...rows));
}

async function send(form, method, path, op, output) {
  let url = path;
  const query = new URLSearchParams();
  const headers = {};
  for (const p of op.parameters || []) {
    const value = form.elements.namedItem(p.in + ':' + p.name)?.value ?? '';
    if (p.in === 'path') url = url.replace('{' + p.name + '}', encodeURIComponent(value));
    else if (value === '') continue;
    else if (p.in === 'query') query.set(p.name, value);
    else if (p.in === 'header') headers[p.name] = value;
  }
  const key = $('key').value.trim();
  if (key) headers.Authorization = 'Bearer ' + key;
  const media = form.elements.namedItem('media')?.value;
  const options = { method, headers };
  if (media) {
    headers['Content-Type'] = media;
    options.body = form.elements.namedItem('body').value;
  }
  if ([...query].length) url += '?' + query;
  output.hidden = false;
  output.textContent = method + ' ' + url + '\n…';
  const start = performance.now();
  const abort = new AbortController();
  options.signal = abort.signal;
  try {
    const response = await fetch(url, options);
    const head = response.status + ' ' + response.statusText + ' · ' + Math.round(performance.now() - start) + ' ms\n' +
      [...response.headers].filter(([n]) => /^(content-type|etag|location|retry-after|allow|x-)/.test(n)).map(([n, v]) => n + ': ' + v).join('\n') + '\n\n';
    if ((response.headers.get('Content-Type') || '').startsWith('text/event-stream')) {
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      output.textContent = head;
      setTimeout(() => abort.abort(), 30000);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        output.textContent = (output.textContent + value).slice(0, 50000);
      }
      return;
    }
    const text = await response.text();
    let body = text;
    try { body = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    output.textContent = head + body.slice(0, 50000);
  } catch (error) {
    if (error.name !== 'AbortError') output.textContent = method + ' ' + url + '\n\n' + error;
  }
}

function tryOut(method, path, op) {
  const output = element('pre', { hidden: true, 'aria-live': 'polite' });
  const inputs = (op.parameters || []).filter((p) => p.in !== 'cookie').map((p) => {
    const input = element('input', { name: p.in + ':' + p.name, required: p.required, autocomplete: 'off' });
    if (p.in === 'path' && p.name === 'site') { input.value = $('site').value; input.dataset.site = '1'; }
    return element('label', {}, p.name + ' (' + p.in + ')' + (p.required ? ' *' : '') + (p.description ? ': ' + p.description : ''), input);
  });
  const body = [];
  if (op.requestBody) {
    const contents = Object.entries(op.requestBody.content);
    const select = element('select', { name: 'media' }, ...contents.map(([media]) => element('option', {}, media)));
    const area = element('textarea', { name: 'body', spellcheck: 'false' });
    area.value = JSON.stringify(example(contents[0][1].schema, 0), null, 2);
    body.push(element('label', {}, 'Content-Type', select), element('label', {}, 'Body', area));
  }
  return element('div', {}, element('form', {
    onsubmit: (e) => { e.preventDefault(); send(e.target, method, path, op, output); },
  }, ...inputs, ...body, element('button', {}, 'Send')), output);
}

function operation(method, path, op) {
  const inside = element('div', { class: 'body' });
  const details = element('details', { id: op.operationId },
    element('summary', {}, element('span', { class: 'method' }, method), element('span', { class: 'path' }, path), element('span', {}, op.summary || '')), inside);
  details.addEventListener('toggle', () => {
    if (!details.open || inside.childNodes.length) return;
    if (op.description) inside.append(element('p', { class: 'description' }, op.description));
    const content = op.requestBody && Object.values(op.requestBody.content)[0];
    const table = content && fields(content.schema);
    if (table) inside.append(element('h3', {}, 'Body'), table);
    const ok = Object.entries(op.responses || {}).find(([status]) => status.startsWith('2'));
    const answer = ok && Object.values(ok[1].content || {})[0];
    const answerFields = answer && fields(answer.schema);
    if (answerFields) inside.append(element('h3', {}, 'Answer'), answerFields);
    inside.append(element('h3', {}, 'Statuses'), responses(op), element('h3', {}, 'Try it'), tryOut(method, path, op));
  });
  details.dataset.text = (method + ' ' + path + ' ' + (op.summary || '')).toLowerCase();
  return details;
}

async function start() {
  const main = $('operations');
  try {
    spec = await (await fetch('/openapi.json')).json();
  } catch (error) {
    main.textContent = 'The description could not be loaded: ' + error;
    return;
  }
  $('version').textContent = spec.info.version;
  $('about').textContent = spec.info.description;
  main.textContent = '';
  for (const tag of spec.tags) {
    const list = [];
    for (const [path, item] of Object.entries(spec.paths)) {
      for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
        const op = item[method];
        if (op && (op.tags || [])[0] === tag.name) list.push(operation(method.toUpperCase(), path, op));
      }
    }
    if (list.length) main.append(element('section', {}, element('h2', {}, tag.name), element('p', {}, tag.description || ''), ...list));
  }
  $('search').addEventListener('input', (e) => {
    const needle = e.target.value.toLowerCase();
    for (const d of main.querySelectorAll('details')) d.hidden = !d.dataset.text.includes(needle);
    for (const s of main.querySelectorAll('section')) s.hidden = !s.querySelector('details:not([hidden])');
  });
  $('site').addEventListener('input', (e) => {
    for (const i of main.querySelectorAll('input[data-site]')) i.value = e.target.value;
  });
  if (location.hash) {
    const target = document.getElementById(location.hash.slice(1));
    if (target) { target.open = true; target.scrollIntoView(); }
  }
}

start();
