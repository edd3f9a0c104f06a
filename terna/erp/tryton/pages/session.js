// Hands a session to the web client, which keeps it under this name (see Session.restore in tryton-sao.js),
// and closes the window that the web client has opened.
"use strict";

function handOver({database, login, user, session, service}) {
    const kept = {login_service: service || null, login, user_id: Number(user), session};
    localStorage.setItem(`sao_session_${database}`, JSON.stringify(kept));
    window.close();
    window.location.replace(`/#${database}`); // where nobody has opened this window, it stays
}

const element = document.getElementById("session");
if (element.tagName === "BUTTON") {
    element.addEventListener("click", () => handOver(element.dataset));
} else {
    handOver(element.dataset);
}
