# gunicorn -c gunicorn.conf.py app:application. LD_PRELOAD is set where gunicorn is started, as in gunicorn/idemshim.conf:
# raw_env comes when Python has been loaded long since.
bind = "unix:/run/gunicorn/app.sock"
user = "www-data"
group = "www-data"
workers = 2
# Rules and the store may stand here, for they are read in the worker.
raw_env = ["IDEMSHIM_HOSTS=api.openai.com", "IDEMSHIM_STORE=/var/cache/idemshim-www-data"]
