// Gives the token once; from then on a cookie stands for it that no script can read.
const form = document.getElementById("login");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = new FormData(form).get("token");
  try {
    const response = await fetch("/api/v1/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail);
    sessionStorage.setItem("isotherm-csrf", answer.csrf);
    location.assign("/");
  } catch (error) {
    document.getElementById("failure").textContent = error.message;
  }
});
