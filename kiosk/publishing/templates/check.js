const told = JSON.parse(document.getElementById('told').textContent), answer = document.getElementById('answer')
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), it => it.charCodeAt(0))
const say = (kind, text) => { const p = document.createElement('p'); p.className = kind; p.textContent = text; answer.append(p) }
const curve = { name: 'ECDSA', namedCurve: 'P-256' }, algorithm = { name: 'ECDSA', hash: 'SHA-256' }
async function signer(code, signature, message, now) {
  for (const key of told.keys.filter(it => it.device === code.d)) {
    const opened = await crypto.subtle.importKey('spki', bytes(key.key), curve, false, ['verify'])
    if (await crypto.subtle.verify(algorithm, opened, signature, message)) return key.from <= now && now < key.until
  }
  return null
}
function officer(code, now) {
  const found = told.officers[code.c], day = new Date(now + 8 * 3600e3).toISOString().slice(0, 10), year = +day.slice(0, 4)
  const wrong = !found ? [told.words.absent] : [
    ...(day > found.until ? [told.words.expired] : []),
    ...(found.checked && found.checked[0] <= year && year <= found.checked[1] ? [] : [told.words.unchecked])]
  if (found && found.unit !== code.u) say('warn', '出示设备与清单登记的单位不一致。')
  if (!told.listed) say('warn', '本页没有人员资格清单，无法核对执法资格。请拨打投诉举报电话核实。')
  else if (wrong.length) say('stop', wrong.join('；') + '。您可以拒绝检查并拨打投诉举报电话核实。')
  const list = document.createElement('dl')
  for (const [name, text] of [...(found ? found.fields : [['证件编号', code.c]]), ...(code.t ? [['任务编号', code.t]] : [])]) {
    list.append(Object.assign(document.createElement('dt'), { textContent: name }),
      Object.assign(document.createElement('dd'), { textContent: text }))
  }
  answer.append(list)
}
async function check(text) {
  answer.replaceChildren()
  if (!globalThis.crypto?.subtle) return say('stop', '浏览器不允许在此地址上核验签名。请从 https 网址，或把本页保存后打开。')
  const now = Date.now(), [prefix, body, sealed, ...more] = text.trim().split('.')
  if (prefix !== told.prefix || !sealed || more.length || text.length > told.most) {
    return say('stop', '这不是执法人员身份码。请重新扫描执法记录仪出示的二维码。')
  }
  let code, payload, signature
  try {
    payload = bytes(body); signature = bytes(sealed); code = JSON.parse(new TextDecoder().decode(payload))
  } catch { return say('stop', '身份码不完整。请重新扫描。') }
  if (!code || typeof code !== 'object') return say('stop', '身份码不完整。请重新扫描。')
  const message = new Uint8Array([...new TextEncoder().encode(told.domain), ...payload])
  const good = await signer(code, signature, message, now)
  if (good === null) return say('stop', '身份码的签名不属于本区登记的执法记录仪，可能是伪造。请拨打投诉举报电话核实。')
  if (!good) return say('stop', '出示身份码的设备已不在有效期内，或已被吊销。请拨打投诉举报电话核实。')
  if (code.p !== told.district) return say('stop', '这是其他区域的身份码，本区无法核验。')
  const age = now - Date.parse(code.i)
  if (code.k && !(-told.skew <= age && age <= told.good_for)) {
    return say('stop', '身份码已过期或时间不符。请让执法人员重新出示。')
  }
  say('good', '签名真实：由本区登记的执法记录仪 ' + code.d + ' 出示。请核对来人与证件照片是否一致。')
  if (!code.k) say('warn', '出示设备的时钟未校准，无法判断身份码是否过期，可能是以前的旧码。请让执法人员当面重新出示，并核对证件。')
  if (now - told.made > told.stale) say('warn', '本页的名单已超过 30 天，请联网重新打开本页。')
  officer(code, now)
}
document.querySelector('form').addEventListener('submit', event => {
  event.preventDefault(); check(document.getElementById('code').value)
})
if (location.hash.length > 1) check(document.getElementById('code').value = decodeURIComponent(location.hash.slice(1)))
