"""The Streamlit shell around the core: the server, navigation, theme and shared components."""
