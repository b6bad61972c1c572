"""The console's entry: who is looking, navigation by role, and the page that was chosen."""

import streamlit as st

from app import session
from app.components.header import draw_header
from app.navigation import pages
from mlops_core.console_root import console_root
from mlops_core.domain.errors import BigboardError

st.set_page_config(
    page_title="Bigboard", page_icon=str(console_root() / "app" / "favicon.svg"), layout="wide"
)

try:
    session.workspace()
except BigboardError as error:
    st.header("There is nothing to show yet")
    st.error(str(error), icon=":material/database_off:")
    st.stop()

page = st.navigation(list(pages().values()), position="top")
draw_header()
page.run()
