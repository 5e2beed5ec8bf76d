// SPDX-License-Identifier: MIT
// The look of what only the page of `bitnet inspect` has, and the script that sorts and filters its
// table.
#pragma once

namespace bitnet::cli {

inline constexpr const char* kInspectStyle = R"css(
.bar-name{margin:14px 0 4px;color:var(--muted);font-size:13px}
.shares{width:100%;height:46px;border-radius:8px}
.shares text{fill:var(--on-part);font-size:13px;font-weight:600}
.finer{margin-top:3px}.finer .shares{height:30px}.finer .shares text{font-size:12px;font-weight:400}
.part{stroke:var(--card);stroke-width:1.5px}
.part.embedding{fill:var(--embedding)}.part.attention{fill:var(--attention)}.part.feed-forward{fill:var(--feed-forward)}
.part.norm{fill:var(--norm)}.part.head{fill:var(--head)}.part.other{fill:var(--other)}
.dot.embedding{background:var(--embedding)}.dot.attention{background:var(--attention)}.dot.feed-forward{background:var(--feed-forward)}
.dot.norm{background:var(--norm)}.dot.head{background:var(--head)}.dot.other{background:var(--other)}
.parts{margin-top:18px}
.ramp{margin-left:auto;display:flex;align-items:center;gap:8px}
.legend-ramp{width:96px;height:8px;border-radius:4px}
.strips{display:grid;grid-template-columns:minmax(130px,max-content) 1fr minmax(130px,max-content);gap:3px 14px;align-items:center}
.strip{width:100%;height:22px;border-radius:4px;background:var(--line)}
.strip rect{height:100%;stroke:var(--card);stroke-width:.75px}
.strip rect:hover{stroke:var(--ink);stroke-width:2px}
.strip-name{font:13px ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
.strip-range{color:var(--muted);font-size:13px;text-align:right;white-space:nowrap}
.strip-axis{display:flex;justify-content:space-between;color:var(--muted);font-size:12px}
.tensors tbody th{min-width:230px}
.tensors tbody th .dot{vertical-align:baseline}
.tensors td:nth-child(2),.tensors thead th:nth-child(2),.tensors td:nth-child(3),.tensors thead th:nth-child(3){text-align:left;white-space:nowrap}
.tensors td:last-child,.tensors thead th:last-child{text-align:left;width:256px}
.tensors td:last-child svg{width:240px;max-width:100%}
.tensors tbody tr:hover{background:color-mix(in srgb,var(--bars) 8%,transparent)}
.tensors small{display:flex;justify-content:space-between;gap:6px;max-width:240px;color:var(--muted);font-size:11px;line-height:1.35}
.trits text{font-size:12px;text-anchor:middle}
.neg{fill:var(--neg)}.zero{fill:var(--zero)}.pos{fill:var(--pos)}
.on-neg{fill:var(--on-neg)}.on-zero{fill:var(--on-zero)}.on-pos{fill:var(--on-pos)}
.bars{fill:var(--bars)}.outlier{fill:var(--outlier)}.axis{stroke:var(--muted);stroke-width:.75px;fill:none;opacity:.6}
.outlier-text{color:var(--outlier)}
.alarm{display:block;color:var(--alarm);font-size:13px}
th button{all:unset;cursor:pointer}th button:hover{color:var(--ink)}th button:focus-visible{outline:2px solid var(--bars);outline-offset:3px}
th[aria-sort=ascending] button::after{content:" ▲"}th[aria-sort=descending] button::after{content:" ▼"}
.filter{width:100%;margin:4px 0 12px;padding:9px 14px;font:inherit;color:inherit;background:var(--page);border:1px solid var(--line);border-radius:9px}
.metadata th,.metadata td{text-align:left;vertical-align:top}
.metadata th:first-child{width:34%}
.metadata td:nth-child(2){white-space:nowrap}
.metadata td:last-child{overflow-wrap:anywhere;white-space:pre-wrap}
@media (max-width:820px){.strips{grid-template-columns:1fr max-content;gap:2px 10px;grid-auto-flow:dense}.strip{grid-column:1/-1;margin-bottom:6px}
.strip-name{grid-column:1}.strip-range{grid-column:2}.strip-axis{grid-column:1/-1}.strips>span:empty{display:none}
.tensors thead,.parts thead{display:none}
.tensors,.tensors tbody,.parts,.parts tbody{display:block}
.tensors tr,.parts tr{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:4px 12px;padding:12px 0;border-bottom:1px solid var(--line)}
.tensors tbody tr>*,.parts tbody tr>*{padding:0;border:0;text-align:left!important;width:auto!important;overflow-wrap:anywhere;white-space:normal!important}
.tensors tbody th,.parts tbody th{grid-column:1/-1;font-weight:600}
.tensors td::before,.parts td::before{content:attr(data-label);display:block;color:var(--muted);font-size:11px}
.tensors td:last-child{grid-column:1/-1;margin-top:4px}.tensors td:last-child::before{display:none}
.tensors td:empty{display:none}
.tensors td:last-child svg{width:100%}.tensors small{max-width:none}
.metadata td:nth-child(2),.metadata thead th:nth-child(2){display:none}}
@media print{.filter{display:none}}
)css";

inline constexpr const char* kInspectScript = R"js(
for (const table of document.querySelectorAll('table[data-sortable]')) {
  const body = table.tBodies[0];
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent;
  const compare = (a, b) =>
    a !== '' && b !== '' && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b, 'en', {numeric: true});
  [...table.tHead.rows[0].cells].slice(0, -1).forEach((head, column) => {
    const button = document.createElement('button');
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.onclick = () => {
      const order = head.getAttribute('aria-sort') === 'descending' ? 'ascending' : 'descending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', order);
      const sign = order === 'ascending' ? 1 : -1;
      body.append(...[...body.rows].sort((a, b) => sign * compare(key(a, column), key(b, column))));
    };
  });
  const filter = document.createElement('input');
  filter.className = 'filter';
  filter.type = 'search';
  filter.placeholder = 'Filter by name or type';
  filter.setAttribute('aria-label', 'Filter tensors by name or type');
  filter.oninput = () => {
    const wanted = filter.value.toLowerCase();
    for (const row of body.rows) {
      row.hidden = !(row.cells[0].textContent + ' ' + row.cells[1].textContent).toLowerCase().includes(wanted);
    }
  };
  table.before(filter);
}
)js";

}  // namespace bitnet::cli
