-- GHC's STM: a TVar for each account, in a boxed array.
-- ghc-peer COUNTED TASK…: the protocol is that of serve.py.
module Main (main) where

import Control.Concurrent
import Control.Concurrent.STM
import Control.Monad
import Data.Array
import Data.Version (showVersion)
import GHC.Clock (getMonotonicTime)
import System.CPUTime (getCPUTime)
import System.Environment (getArgs)
import System.IO
import System.Info (compilerVersion)

type Accounts = Array Int (TVar Int)

accounts, deposit, turn :: Int
accounts = 1000
deposit = 1000000
turn = 16 -- blocks between two looks at the clock

-- The next of a sequence of numbers (a linear congruence modulo 2^31).
next :: Int -> Int
next n = (n * 1103515245 + 12345) `mod` 2147483648

add :: TVar Int -> Int -> STM ()
add var by = do
  old <- readTVar var
  writeTVar var $! old + by

-- One block, and the next state of its sequence.
task :: String -> Accounts -> TVar Int -> Int -> IO Int
task "increment" _ counter state = atomically (add counter 1) >> return state
task "read_ten" vars _ state = do
  total <- atomically $ sum <$> mapM (readTVar . (vars !)) [0 .. 9]
  total `seq` return state
task "transfer" vars _ state = do
  let one = next state
      two = next one
      source = (one `div` 65536) `mod` accounts
      target = (source + 1 + (two `div` 65536) `mod` (accounts - 1)) `mod` accounts
  atomically $ add (vars ! source) (-1) >> add (vars ! target) 1
  return two
task "total" vars _ state = do
  total <- atomically $ foldM (\n var -> (n +) <$> readTVar var) 0 (elems vars)
  when (total /= accounts * deposit) $ error ("the accounts hold " ++ show total)
  return state
task name _ _ _ = error ("there is no " ++ name)

-- Works until the time is up; how often.
work :: (Int -> IO Int) -> Int -> Double -> IO Int
work step seed end = go seed 0
  where
    go state done = do
      state' <- foldM (\s _ -> step s) state [1 .. turn]
      now <- getMonotonicTime
      if now >= end then return (done + turn) else go state' (done + turn)

serve :: Int -> [String] -> Accounts -> TVar Int -> Double -> IO ()
serve counted tasks vars counter seconds = do
  cpu <- getCPUTime
  began <- getMonotonicTime
  results <- forM (zip [1 ..] tasks) $ \(number, name) -> do
    result <- newEmptyMVar
    _ <- forkIO $ work (task name vars counter) number (began + seconds) >>= putMVar result
    return result
  done <- mapM takeMVar results
  ended <- getMonotonicTime
  used <- getCPUTime
  print [fromIntegral (sum (take counted done)), ended - began, fromIntegral (used - cpu) / 1e12]
  hFlush stdout

main :: IO ()
main = do
  counted : tasks <- getArgs
  setNumCapabilities (length tasks)
  vars <- listArray (0, accounts - 1) <$> replicateM accounts (newTVarIO deposit)
  counter <- newTVarIO 0
  putStrLn (showVersion compilerVersion)
  hFlush stdout
  lines' <- lines <$> getContents
  forM_ lines' $ serve (read counted) tasks vars counter . read
